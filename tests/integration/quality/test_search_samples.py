"""Kept searches: bounded in number and age, gone with the documents of their namespace."""

import pytest
from django.db import IntegrityError, connection

from embeddings_app.records.search_samples import (
    KEPT_SAMPLES,
    keep_sample,
    newest_samples,
    prune_samples,
    spread_documents,
)
from embeddings_app.services.documents.deleting import delete
from tests.integration.indexing_steps import NAMESPACE, index, put, rows
from tests.integration.quality.quality_steps import MODEL, active_version, live_search, namespace_key


def count() -> int:
    found: int = rows("SELECT count(*) FROM search_sample")[0][0]
    return found


def fill(namespace: int, number: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO search_sample (model_id, namespace_id, text, top_k, filter, taken_at)
            SELECT %s, %s, 'text ' || n, 10, '', now() FROM generate_series(1, %s) AS n
            """,
            [MODEL, namespace, number],
        )


def test_the_newest_of_each_model_are_kept(database: str) -> None:
    namespace = namespace_key()
    keep_sample(live_search("of another model", namespace=namespace, model="other"))
    fill(namespace, KEPT_SAMPLES)
    keep_sample(live_search("newest", namespace=namespace))
    assert count() == KEPT_SAMPLES + 1
    found = [sample.text for sample in newest_samples(MODEL, 3)]
    assert found == ["newest", f"text {KEPT_SAMPLES}", f"text {KEPT_SAMPLES - 1}"]
    assert rows("SELECT 1 FROM search_sample WHERE text = 'text 1'") == []
    assert [sample.text for sample in newest_samples("other", 10)] == ["of another model"]


def test_equal_searches_are_one_query(database: str) -> None:
    namespace = namespace_key()
    for text in ("first", "again", "again", "again"):
        keep_sample(live_search(text, namespace=namespace))
    assert [sample.text for sample in newest_samples(MODEL, 10)] == ["again", "first"]


def test_a_vector_is_a_query_of_its_version_alone(database: str) -> None:
    namespace = namespace_key()
    keep_sample(live_search("a text", namespace=namespace))
    keep_sample(live_search(namespace=namespace, vector=b"\x00\x00\x80?"))
    key = active_version().pk
    assert [sample.vector for sample in newest_samples(MODEL, 10, vectors_of=key)] == [b"\x00\x00\x80?", None]
    assert [sample.text for sample in newest_samples(MODEL, 10)] == ["a text"]
    assert [sample.text for sample in newest_samples(MODEL, 10, vectors_of=key + 1)] == ["a text"]


def test_old_samples_are_not_used_and_go(database: str) -> None:
    namespace = namespace_key()
    keep_sample(live_search("old", namespace=namespace))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE search_sample SET taken_at = now() - interval '8 days'")
    keep_sample(live_search("new", namespace=namespace))
    assert [sample.text for sample in newest_samples(MODEL, 10)] == ["new"]
    assert (prune_samples(), count()) == (1, 1)


def test_no_sample_outlives_the_documents_of_its_namespace(database: str) -> None:
    namespace = namespace_key()
    keep_sample(live_search(namespace=namespace))
    assert (prune_samples(), count()) == (0, 1)
    delete(NAMESPACE, "a document")
    assert (prune_samples(), count()) == (1, 0)


def test_a_sample_of_a_namespace_that_is_gone_is_refused(database: str) -> None:
    with pytest.raises(IntegrityError):
        keep_sample(live_search(namespace=10**9))


def test_documents_are_taken_from_evenly_spread_places(database: str) -> None:
    assert spread_documents(active_version().pk, 10) == []
    put(*((f"doc {number}", f"text {number}") for number in range(60)))
    index()
    for number in range(20):
        delete(NAMESPACE, f"doc {number}")
    found = spread_documents(active_version().pk, 10)
    texts = [document.text for document in found]
    assert len(set(texts)) == 10
    places = sorted(int(text.removeprefix("text ")) for text in texts)
    assert places[0] >= 20
    assert places[-1] - places[0] > 20
    assert len(spread_documents(active_version().pk, 100)) == 40


def push_behind_a_gap(first: str, keys: int) -> None:
    """Give the document, and all written after it, keys that are so much larger."""
    moved = "(SELECT id FROM document WHERE doc_id = %s)"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMP TABLE gap AS SELECT id FROM document WHERE id >= {moved}", [first])
        for table, column in (
            ("document", "id"),
            ("embedding_record", "document_id"),
            ("embedding_vector", "document_id"),
        ):
            cursor.execute(
                f"UPDATE {table} SET {column} = {column} + %s WHERE {column} IN (SELECT id FROM gap)", [keys]
            )
        cursor.execute("DROP TABLE gap")


@pytest.mark.parametrize("gap", [1_000_000, 2**39])
@pytest.mark.parametrize("before", [1, 30])
def test_as_many_documents_as_there_are_come_also_where_their_keys_have_gaps(
    database: str, before: int, gap: int
) -> None:
    put(*((f"doc {number}", f"text {number}") for number in range(60)))
    index()
    push_behind_a_gap(f"doc {before}", gap)
    push_behind_a_gap("doc 50", gap)
    for limit in (5, 50, 60, 100):
        found = [document.document_key for document in spread_documents(active_version().pk, limit)]
        assert len(found) == len(set(found)) == min(limit, 60)
        assert found == sorted(found)
