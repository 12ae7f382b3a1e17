"""Turns: how many threads compute at a time, and that nobody is kept out for good."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from embedding_project.threads.turns import Turns


def test_no_more_threads_than_there_are_turns_compute_at_once() -> None:
    turns = Turns(at_once=3, patience_seconds=30)
    lock = threading.Lock()
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        with turns.turn():
            with lock:
                inside += 1
                most = max(most, inside)
            time.sleep(0.005)
            with lock:
                inside -= 1

    with ThreadPoolExecutor(16) as pool:
        for done in [pool.submit(work) for _ in range(64)]:
            done.result()
    assert most == 3


def test_who_waits_for_something_leaves_the_turn_to_another() -> None:
    turns = Turns(at_once=1, patience_seconds=30)
    answered = threading.Event()

    def answer() -> None:
        with turns.turn():
            answered.set()

    with turns.turn():
        other = threading.Thread(target=answer)
        other.start()
        with turns.away():
            assert answered.wait(5)
        other.join(5)


def test_a_turn_is_taken_up_again_after_being_away() -> None:
    turns = Turns(at_once=1, patience_seconds=0.05)
    with turns.turn():
        with turns.away():
            pass
        assert not _can_enter(turns)
    assert _can_enter(turns)


def test_an_error_gives_the_turn_back() -> None:
    turns = Turns(at_once=1, patience_seconds=0.05)
    with pytest.raises(RuntimeError), turns.turn(), turns.away():
        raise RuntimeError
    assert _can_enter(turns)


def test_behind_turns_that_are_stuck_one_goes_on_without_and_adds_none() -> None:
    turns = Turns(at_once=1, patience_seconds=0.05)
    with turns.turn():
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(_enter, turns).result(5)
        assert not _can_enter(turns)
    assert _can_enter(turns)


def test_a_thread_that_has_no_turn_may_be_away() -> None:
    turns = Turns(at_once=1, patience_seconds=0.05)
    with turns.away():
        assert _can_enter(turns)
    assert _can_enter(turns)


def _enter(turns: Turns) -> bool:
    with turns.turn():
        return True


def _can_enter(turns: Turns) -> bool:
    """Whether a thread gets a turn, and not just the end of its patience."""

    def enter() -> float:
        began = time.monotonic()
        _enter(turns)
        return time.monotonic() - began

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(enter).result(5) < 0.04
