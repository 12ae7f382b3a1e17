"""Processes of the pool: small real ones that stand for embedders."""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from supervisor.autoscaler.embedder_pool import EmbedderPool
from supervisor.logs import Console
from supervisor.process import ProcessSpec

# Ends cleanly, but only after a moment, and says so. Not by print: the signal may come while the first is under way.
_PROGRAM = """
import os, signal, sys, time
def end(*_):
    time.sleep(0.3)
    os.write(1, b"finished\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
os.write(1, b"working\\n")
while True:
    time.sleep(0.05)
"""


def role(number: int) -> ProcessSpec:
    return ProcessSpec(
        name=f"embedder-{number}", argv=(sys.executable, "-c", _PROGRAM), env={}, cwd=Path(__file__).parent
    )


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[EmbedderPool]:
    pool = EmbedderPool(role, 3, tmp_path, Console(None))
    yield pool
    pool.stop()


def _log(folder: Path, number: int) -> str:
    path = folder / f"embedder-{number}.log"
    return path.read_text() if path.exists() else ""


def _until(pool: EmbedderPool, holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < give_up
        pool.tick()
        time.sleep(0.02)


def test_embedders_get_numbers_of_their_own_and_may_finish(pool: EmbedderPool, tmp_path: Path) -> None:
    pool.resize(2)
    _until(pool, lambda: "working" in _log(tmp_path, 3) and "working" in _log(tmp_path, 4))
    pool.resize(1)
    assert pool.size == 1
    _until(pool, lambda: "finished" in _log(tmp_path, 4))
    assert "finished" not in _log(tmp_path, 3)


def test_a_number_is_not_used_again_while_its_embedder_still_finishes(pool: EmbedderPool, tmp_path: Path) -> None:
    pool.resize(1)
    _until(pool, lambda: "working" in _log(tmp_path, 3))
    pool.resize(0)
    pool.resize(1)
    _until(pool, lambda: "working" in _log(tmp_path, 4))


def test_one_that_dies_is_started_again(pool: EmbedderPool, tmp_path: Path) -> None:
    pool.resize(1)
    _until(pool, lambda: "working" in _log(tmp_path, 3))
    pool._working[0].sweep_group()
    _until(pool, lambda: _log(tmp_path, 3).count("working") == 2)
    assert pool.size == 1


def test_a_stop_waits_until_all_have_finished(tmp_path: Path) -> None:
    pool = EmbedderPool(role, 0, tmp_path, Console(None))
    pool.resize(2)
    _until(pool, lambda: all("working" in _log(tmp_path, number) for number in (0, 1)))
    pool.stop()
    assert all("finished" in _log(tmp_path, number) for number in (0, 1))
