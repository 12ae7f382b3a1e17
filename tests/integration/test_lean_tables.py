"""Hot tables have no more indexes and checks than they need, and what they refer to stays."""

import pytest
from django.db import IntegrityError, connection, transaction

from embeddings_app.models import ModelRegistry
from embeddings_app.records import version_records
from embeddings_app.records.vector_partitions import create_vector_partition, drop_vector_partition, vector_partition
from tests.integration.indexing_steps import NAMESPACE, failing, index, put, rows

pytestmark = pytest.mark.usefixtures("database")
HOT = ("document", "embedding_record", "shard_change")


def test_hot_tables_have_the_indexes_that_queries_use_and_no_others() -> None:
    indexes = rows("SELECT tablename, indexname FROM pg_indexes WHERE tablename = ANY(%s) ORDER BY 1, 2", list(HOT))
    assert indexes == [
        ("document", "document_expiring"),
        ("document", "document_pkey"),
        ("document", "document_unique"),
        ("embedding_record", "embedding_record_pkey"),
        ("embedding_record", "record_pending"),
        ("embedding_record", "record_poison"),
        ("embedding_record", "record_turns"),
        ("embedding_record", "record_unique"),
        ("shard_change", "shard_change_pkey"),
    ]


def test_no_row_of_a_hot_table_is_checked_against_another_table() -> None:
    query = "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND conrelid::regclass::text = ANY(%s)"
    assert rows(query, list(HOT)) == [(0,)]


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("DELETE FROM namespace WHERE name = %s", "namespace_kept"),
        ("DELETE FROM document USING namespace n WHERE n.id = namespace_id AND n.name = %s", "document_kept"),
        (
            "DELETE FROM model_registry m USING namespace n WHERE m.model_id = n.model_id AND n.name = %s",
            "model_registry_kept",
        ),
    ],
)
def test_what_rows_refer_to_cannot_be_deleted(statement: str, constraint: str) -> None:
    put(("a", "text"))
    index()
    with pytest.raises(IntegrityError) as caught, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, [NAMESPACE])
    assert getattr(caught.value.__cause__, "diag").constraint_name == constraint  # noqa: B009
    assert rows("SELECT count(*) FROM document JOIN namespace n ON n.id = namespace_id") == [(1,)]


def test_all_records_of_a_version_are_deleted_whatever_their_state() -> None:
    version = ModelRegistry.objects.get(model_id="all-MiniLM-L6-v2").pk
    put(*((f"ready {number}", f"text {number}") for number in range(5)))
    index()
    put(("failed", "text"))
    for _ in range(3):
        index(lambda spec, texts: failing("model_error", len(texts)))
        rows("UPDATE embedding_record SET next_attempt_at = now() RETURNING 1")
    put(("ready 0", "another text"), ("waiting", "text"))
    assert rows("SELECT state, count(*) FROM embedding_record GROUP BY 1 ORDER BY 1") == [
        ("pending", 2),
        ("quarantined", 1),
        ("ready", 4),
    ]
    deleted = []
    while more := version_records.delete_records(version, 2):
        deleted.append(more)
    assert (sum(deleted), max(deleted)) == (7, 2)
    assert rows("SELECT 1 FROM embedding_record UNION ALL SELECT 1 FROM embedding_vector") == []


@pytest.mark.parametrize(("dimension", "storage"), [(384, "m"), (768, "m"), (1024, "e"), (1536, "m"), (3072, "e")])
def test_vectors_are_stored_in_their_rows_where_these_fill_the_pages(dimension: int, storage: str) -> None:
    version_key = 10**6 + dimension
    try:
        create_vector_partition(version_key, dimension)
        (found,) = rows(
            "SELECT a.attstorage FROM pg_attribute a WHERE a.attname = 'vector' AND a.attrelid = %s::regclass",
            vector_partition(version_key),
        )
        assert found == (storage,)
        rows(
            f"INSERT INTO embedding_vector SELECT {version_key}, n, 1, decode(repeat('a1', {4 * dimension}), 'hex') "
            "FROM generate_series(1, 8) AS n RETURNING 1"
        )
        (outside,) = rows(
            "SELECT pg_relation_size(reltoastrelid) > 0 FROM pg_class WHERE oid = %s::regclass",
            vector_partition(version_key),
        )
        assert outside == (storage == "e",)
    finally:
        drop_vector_partition(version_key)
