"""Connections that threads share: few are opened at a time, and who waits takes the first that is free."""

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import psycopg
import pytest

from embeddings_app.database.pool import OPENED_AT_ONCE, ConnectionPool


def never() -> int:
    raise AssertionError("a connection was free")


def test_a_connection_that_was_given_back_is_used_again() -> None:
    pool: ConnectionPool[int] = ConnectionPool()
    assert pool.take(lambda: 1) == 1
    assert pool.take(lambda: 2) == 2
    pool.give(1)
    pool.give(2)
    assert (pool.take(never), pool.take(never)) == (2, 1)


def test_many_threads_at_once_open_few() -> None:
    pool: ConnectionPool[int] = ConnectionPool(wait_seconds=60)
    opening, may_open, numbers = threading.Semaphore(0), threading.Event(), count()

    def connect() -> int:
        opening.release()
        may_open.wait(60)
        return next(numbers)

    def ask() -> None:
        pool.give(pool.take(connect))

    with ThreadPoolExecutor(40) as threads:
        asked = [threads.submit(ask) for _ in range(40)]
        for _ in range(OPENED_AT_ONCE):
            assert opening.acquire(timeout=30)
        assert not opening.acquire(timeout=0.1)
        may_open.set()
        for one in asked:
            one.result(30)


def test_while_the_server_lets_nobody_in_the_wait_ends() -> None:
    pool: ConnectionPool[int] = ConnectionPool(wait_seconds=0.05)
    opening, hangs = threading.Semaphore(0), threading.Event()

    def connect() -> int:
        opening.release()
        hangs.wait(60)
        return 0

    with ThreadPoolExecutor(OPENED_AT_ONCE) as threads:
        for _ in range(OPENED_AT_ONCE):
            threads.submit(pool.take, connect)
        for _ in range(OPENED_AT_ONCE):
            assert opening.acquire(timeout=30)
        with pytest.raises(psycopg.OperationalError):
            pool.take(never)
        hangs.set()


def test_a_connection_that_cannot_be_opened_leaves_its_place() -> None:
    pool: ConnectionPool[int] = ConnectionPool(wait_seconds=0.05)

    def refused() -> int:
        raise psycopg.OperationalError

    for _ in range(2 * OPENED_AT_ONCE):
        with pytest.raises(psycopg.OperationalError):
            pool.take(refused)
    assert pool.take(lambda: 7) == 7
