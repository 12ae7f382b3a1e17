"""Servers that run, with databases of this process's own. Nobody indexes in them but the test itself."""

from collections.abc import Iterator

import pytest
from django.db import connection
from redis import Redis

from embedding_project.config import load_config
from embeddings_app import registry
from embeddings_app.records.transactions import in_transaction
from embeddings_app.services import namespaces
from embeddings_app.services.access.callers import keys_exist
from embeddings_app.services.documents import build_backlog
from embeddings_app.services.operating import service_state
from tests.conftest import MIGRATED_DATABASE
from tests.servers import copy_database


@pytest.fixture(scope="session", autouse=True)
def migrated() -> None:
    """The database of this process has its tables and a default model; broker and cache answer."""
    copy_database(MIGRATED_DATABASE.get(), load_config().database_url.rpartition("/")[2])


@pytest.fixture
def valkey_url() -> str:
    """The broker of this process."""
    return load_config().redis_url


@pytest.fixture
def redis(valkey_url: str) -> Iterator[Redis]:
    """A client of the broker, which is empty."""
    with Redis.from_url(valkey_url) as client:
        client.flushdb()
        yield client


def empty_tables() -> None:
    """Documents, vectors and logs are gone, and all counters at zero."""
    # Threads that look at the state of the service now and then may hold some of the tables.
    in_transaction(_empty)
    registry.forget_cached()
    namespaces.forget_cached()
    build_backlog.forget_cached()


def _empty() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            TRUNCATE document, document_words, kept_answer, namespace, embedding_record, embedding_vector, shard_change,
                     shard_replica, lease, job_state, job_run, version_measurement CASCADE;
            UPDATE shard_counter SET head = 0
            """
        )


@pytest.fixture
def database(migrated: None) -> Iterator[str]:
    """The database URL, with empty tables."""
    empty_tables()
    yield load_config().database_url
    # A key that a test made would end keyless access for every test after it.
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE api_key")
    keys_exist.cache_clear()
    connection.close()


@pytest.fixture
def fresh_state() -> Iterator[None]:
    """The state of the service is asked anew: nothing was asked before this test, and nothing is left of it."""
    sources = (service_state._stored, service_state._work, service_state._queues, service_state._embed_load)
    for source in sources:
        source.cache_clear()
    yield
    for source in sources:
        source.cache_clear()
