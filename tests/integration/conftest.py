"""A migrated database in this process, empty for each test. Nobody indexes in it but the test itself."""

from collections.abc import Iterator

import pytest
from django.db import connection

from embedding_project.config import load_config
from embeddings_app import registry
from embeddings_app.services.access.callers import keys_exist
from embeddings_app.services.documents import unused_fields


@pytest.fixture
def database(migrated: None) -> Iterator[str]:
    """The database URL; documents, vectors and logs are empty and all counters at zero."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            TRUNCATE document, namespace, embedding_record, embedding_vector, shard_change, shard_replica CASCADE;
            UPDATE shard_counter SET head = 0
            """
        )
    registry.forget_cached()
    unused_fields.forget_cached()
    yield load_config().database_url
    # A key that a test made would end keyless access for every test after it.
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE api_key")
    keys_exist.cache_clear()
    connection.close()
