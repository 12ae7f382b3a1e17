"""The local tier of the embedding cache: bounded, short-lived, and never behind a forget of its own process."""

import threading
import tracemalloc

import numpy as np

from embedding_project.contracts.vectors import EmbeddedText
from embeddings_app.services.embedding.local_cache import ENTRY_OVERHEAD_BYTES, FRESH_SECONDS, LocalVectors

DIMENSION = 384
SIZE = 4 * DIMENSION + ENTRY_OVERHEAD_BYTES


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def _embedded(number: int) -> EmbeddedText:
    frame = EmbeddedText(np.full(DIMENSION, number + 1, np.float32), number, False).to_frame()
    embedded = EmbeddedText.from_frame(frame, DIMENSION)
    assert embedded is not None
    return embedded


def _put(local: LocalVectors, *numbers: int) -> None:
    local.put_many("m", {b"%d" % number: _embedded(number) for number in numbers}, local.moment)


def test_a_hit_is_the_very_vector_that_came_in_and_cannot_be_written_to() -> None:
    local, embedded = LocalVectors(10 * SIZE), _embedded(1)
    local.put_many("m", {b"key": embedded}, local.moment)
    found = local.get_many([b"key", b"other"])
    assert found == {b"key": embedded}
    assert found[b"key"].vector is embedded.vector
    assert not embedded.vector.flags.writeable


def test_the_least_recently_used_leaves_when_the_bytes_run_out() -> None:
    local = LocalVectors(3 * SIZE)
    _put(local, 1, 2, 3)
    local.get_many([b"1"])
    _put(local, 4)
    assert set(local.get_many([b"1", b"2", b"3", b"4"])) == {b"1", b"3", b"4"}
    assert (local.size_bytes, local.held("m").entries) == (3 * SIZE, 3)


def test_entries_live_five_seconds_however_often_they_are_read() -> None:
    clock = Clock()
    local = LocalVectors(10 * SIZE, clock)
    _put(local, 1)
    clock.now += FRESH_SECONDS - 0.1
    assert local.get_many([b"1"])
    clock.now += 0.1
    assert not local.get_many([b"1"])
    assert local.size_bytes == 0


def test_what_was_looked_up_before_a_forget_does_not_come_in_after_it() -> None:
    local = LocalVectors(10 * SIZE)
    moment = local.moment
    local.forget([b"1"])
    local.put_many("m", {b"1": _embedded(1)}, moment)
    assert not local.get_many([b"1"])


def test_forgetting_and_clearing_are_felt_at_once_and_give_the_bytes_back() -> None:
    local = LocalVectors(10 * SIZE)
    _put(local, 1, 2, 3)
    local.forget([b"1", b"unknown"])
    assert set(local.get_many([b"1", b"2", b"3"])) == {b"2", b"3"}
    assert local.held("m").size_bytes == 2 * SIZE
    local.clear()
    assert (local.size_bytes, local.held("m").size_bytes) == (0, 0)


def test_no_megabytes_means_nothing_is_held() -> None:
    local = LocalVectors(0)
    _put(local, 1)
    assert (local.get_many([b"1"]), local.size_bytes) == ({}, 0)


def test_the_account_is_close_to_the_memory_that_is_used() -> None:
    local = LocalVectors(10_000 * SIZE)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        _put(local, *range(2_000))
        used = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert 0.85 < used / local.size_bytes < 1.15


def test_the_account_stays_exact_under_many_threads() -> None:
    local = LocalVectors(20 * SIZE)

    def churn(seed: int) -> None:
        numbers = np.random.default_rng(seed).integers(0, 40, 300).tolist()
        for number in numbers:
            _put(local, number)
            local.get_many([b"%d" % (number + 1)])
            if number % 7 == 0:
                local.forget([b"%d" % number])

    threads = [threading.Thread(target=churn, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert local.size_bytes == local.held("m").size_bytes == local.held("m").entries * SIZE <= 20 * SIZE
