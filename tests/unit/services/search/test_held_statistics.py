"""How frequent words are: fresh enough, read beside the searches, and nobody waits for long."""

import threading
import time
from collections.abc import Callable

import pytest
from django.db import DatabaseError, OperationalError
from psycopg.errors import QueryCanceled

from embeddings_app.records.word_statistics import NO_STATISTICS, WordStatistics
from embeddings_app.services.search.held_statistics import HeldStatistics, Way

LONG = 30.0
OLD, NEW = WordStatistics(1, 1.0, {}), WordStatistics(2, 1.0, {})


def cancelled(_key: int) -> WordStatistics:
    raise OperationalError from QueryCanceled()


def unreachable(_key: int) -> WordStatistics:
    raise DatabaseError


def one_after_the_other(*reads: Callable[[int], WordStatistics]) -> Callable[[int], WordStatistics]:
    left = iter(reads)

    def read(key: int) -> WordStatistics:
        return next(left)(key)

    return read


def held(*reads: Callable[[int], WordStatistics], fresh_seconds: float = LONG) -> HeldStatistics:
    return HeldStatistics([Way(read, LONG) for read in reads], fresh_seconds)


class Gate:
    """Reads that wait, but for the first ones."""

    def __init__(self, *at_once: WordStatistics) -> None:
        self.began, self.go_on = threading.Event(), threading.Event()
        self._at_once = list(at_once)

    def read(self, _key: int) -> WordStatistics:
        if self._at_once:
            return self._at_once.pop(0)
        self.began.set()
        assert self.go_on.wait(LONG)
        return NEW


def eventually(statistics: HeldStatistics) -> WordStatistics:
    until = time.monotonic() + LONG
    while (found := statistics.of(1, 0.01)) is not NEW and time.monotonic() < until:
        time.sleep(0.01)
    return found


def test_a_search_that_cannot_wait_does_without_and_the_next_one_has_what_was_read_meanwhile() -> None:
    gate = Gate()
    statistics = held(gate.read)
    assert statistics.of(1, 0.01) is NO_STATISTICS
    assert gate.began.wait(LONG)
    gate.go_on.set()
    assert eventually(statistics) is NEW


def test_others_have_the_old_ones_while_new_ones_are_read_and_so_has_who_waits_too_long() -> None:
    gate = Gate(OLD)
    statistics = held(gate.read, fresh_seconds=0.0)
    assert statistics.of(1, LONG) is OLD
    assert statistics.of(1, 0.01) is OLD
    assert gate.began.wait(LONG)
    assert statistics.of(1, LONG) is OLD
    gate.go_on.set()
    assert eventually(statistics) is NEW


def test_what_takes_too_long_leaves_it_to_the_next_way_and_to_older_ones() -> None:
    assert held(cancelled, lambda _key: NEW).of(1, LONG) is NEW
    assert held(cancelled).of(1, LONG) is NO_STATISTICS
    statistics = held(one_after_the_other(lambda _key: OLD, cancelled), fresh_seconds=0.0)
    assert [statistics.of(1, LONG), statistics.of(1, LONG)] == [OLD, OLD]


def test_of_an_empty_namespace_they_are_read_anew_since_documents_may_have_come() -> None:
    empty = WordStatistics(0, 1.0, {})
    statistics = held(one_after_the_other(lambda _key: empty, lambda _key: NEW))
    assert [statistics.of(1, LONG), statistics.of(1, LONG)] == [empty, NEW]


def test_an_error_is_not_held() -> None:
    statistics = held(one_after_the_other(unreachable, lambda _key: NEW))
    assert [statistics.of(1, LONG), statistics.of(1, LONG)] == [NO_STATISTICS, NEW]


def test_a_fault_of_ours_is_raised() -> None:
    def fault(_key: int) -> WordStatistics:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        held(fault).of(1, LONG)


def test_what_was_begun_before_a_clear_is_not_held() -> None:
    gate = Gate()
    statistics = held(gate.read)
    statistics.of(1, 0.01)
    assert gate.began.wait(LONG)
    statistics.clear()
    assert statistics.of(1, 0.01) is NO_STATISTICS
    gate.go_on.set()
    assert eventually(statistics) is NEW


def test_a_few_namespaces_are_read_at_a_time() -> None:
    gate = Gate()
    statistics = held(gate.read)
    assert [statistics.of(key, 0.01) for key in range(100)] == [NO_STATISTICS] * 100
    gate.go_on.set()
    assert eventually(statistics) is NEW
