"""Slots for connections: no more than so many at a time, none held outside, and an end to waiting."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from embedding_project.contracts.errors import Unavailable
from embeddings_app.records.connection_slots import connection_slot
from tests.integration.indexing_steps import rows

SLOTS, TASKS = 2, 12


def test_no_more_tasks_than_slots_use_the_database_at_a_time(database: str) -> None:
    using, most = 0, 0
    lock = threading.Lock()

    def task(_: int) -> None:
        nonlocal using, most
        with connection_slot("several", SLOTS, 60.0):
            with lock:
                using += 1
                most = max(most, using)
            assert rows("SELECT pg_sleep(0.02)")
            with lock:
                using -= 1
        assert connection.connection is None

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(task, range(TASKS)))
    assert most == SLOTS


def test_who_waits_for_too_long_is_told_so_and_a_slot_ends_with_its_connection(database: str) -> None:
    with connection_slot("one", 1, 60.0):
        with ThreadPoolExecutor(1) as thread:
            waiting = thread.submit(_use, 0.2)
            with pytest.raises(Unavailable):
                waiting.result()
            (pid,) = rows("SELECT pg_backend_pid()")[0]
            killed = thread.submit(_kill, pid)
            killed.result()
            thread.submit(_use, 60.0).result()
        connection.close()


def _use(patience_seconds: float) -> None:
    with connection_slot("one", 1, patience_seconds):
        pass


def _kill(pid: int) -> None:
    rows(f"SELECT pg_terminate_backend({pid}, 5000)")
    connection.close()
