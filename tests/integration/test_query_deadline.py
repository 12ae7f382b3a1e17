"""Queries that have a deadline, against a real Postgres."""

import time

import psycopg
import pytest
from django.db import OperationalError, connection, transaction

from embeddings_app.api.errors import as_service_error
from embeddings_app.database.patience import answered_by
from embeddings_app.records.reading import hydrate


def _ask(sql: str) -> object:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()


def _own_pid() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    return int(pid)


def _cancelled_at_its_deadline(raised: OperationalError) -> bool:
    """Whether the deadline ended the query, and not the longest time that the server gives any query."""
    cause = raised.__cause__
    return isinstance(cause, psycopg.errors.QueryCanceled) and "deadline of its caller" in str(cause)


def test_a_query_is_cancelled_at_the_deadline_and_its_connection_goes_on(database: str) -> None:
    before = _own_pid()
    with answered_by(time.monotonic() + 0.1), pytest.raises(OperationalError) as slow:
        _ask("SELECT pg_sleep(60)")
    assert _cancelled_at_its_deadline(slow.value)
    error = as_service_error(slow.value)
    assert error is not None
    assert (error.code, error.kind.status) == ("too_slow", 503)
    assert _own_pid() == before


def test_a_query_in_time_hears_nothing_of_its_deadline_and_the_next_block_has_its_own(database: str) -> None:
    with answered_by(time.monotonic() + 60):
        assert _ask("SELECT 1") == (1,)
    _ask("SELECT pg_sleep(0.2)")
    with answered_by(time.monotonic() + 0.1), pytest.raises(OperationalError) as slow:
        _ask("SELECT pg_sleep(60)")
    assert _cancelled_at_its_deadline(slow.value)


def test_a_connection_that_waits_for_a_lock_is_freed_too(database: str) -> None:
    with psycopg.connect(database) as other:
        other.execute("LOCK TABLE document IN ACCESS EXCLUSIVE MODE")
        with answered_by(time.monotonic() + 0.1), pytest.raises(OperationalError) as slow:
            hydrate(1, [1], with_metadata=True, with_text=True, with_vector=False)
        assert _cancelled_at_its_deadline(slow.value)
    assert _ask("SELECT count(*) FROM document") == (0,)


def test_a_transaction_that_rested_for_too_long_counts_as_an_outage(database: str) -> None:
    """As where the machine stops a process for some seconds."""
    with pytest.raises(OperationalError) as ended:
        _rest_for_too_long(database)
    error = as_service_error(ended.value)
    assert error is not None
    assert (error.code, error.kind.status) == ("database_unavailable", 503)
    assert _ask("SELECT 1") == (1,)


def _rest_for_too_long(database: str) -> None:
    give_up = time.monotonic() + 60
    with psycopg.connect(database, autocommit=True) as other, transaction.atomic():
        pid = _own_pid()
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 50")
        while other.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", [pid]).fetchone():
            assert time.monotonic() < give_up
            time.sleep(0.01)
        _own_pid()
