"""The lists of the admin over many rows: judged by the plans of their queries, whatever the machine."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from embeddings_app.models import ModelRegistry
from embeddings_app.records.operations import (
    COUNT_CAP,
    NAMESPACE_COUNT_CAP,
    count_documents,
    find_by_prefix,
    version_work,
)
from tests.integration.conftest import empty_tables
from tests.integration.indexing_steps import unhurried

DOCUMENTS, NAMESPACES, PENDING, QUARANTINED = 200_000, 20, 20_000, 300
IN_NAMESPACE = DOCUMENTS // NAMESPACES
"""Namespaces were filled one after the other, so that those of the first lie furthest from the newest."""
LISTS = "/admin/embeddings_app/"
LARGE = ("document", "embedding_record")
MAX_ROWS_TOUCHED = 2 * COUNT_CAP + 1_000
"""What a page may read of a large table, its capped count included."""


@pytest.fixture(scope="module")
def many_rows(migrated: None) -> Iterator[None]:
    version = ModelRegistry.objects.get(model_id="all-MiniLM-L6-v2").pk
    empty_tables()
    with unhurried(), connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO namespace (id, name, model_id, store_text, fields, created_at)
            SELECT n, 'space-' || n, 'all-MiniLM-L6-v2', true, '{}', now() FROM generate_series(1, %s) AS n
            """,
            [NAMESPACES],
        )
        cursor.execute(
            """
            INSERT INTO document (id, namespace_id, doc_id, text, metadata, content_hash, revision, text_revision,
                                  deleted, shard_hash, created_at, updated_at)
            SELECT n, 1 + (n - 1) / %s, 'doc/' || n, 'text of ' || n, '{}', '', 1, 1, false, n, now(), now()
            FROM generate_series(1, %s) AS n
            """,
            [IN_NAMESPACE, DOCUMENTS],
        )
        cursor.execute(
            """
            INSERT INTO embedding_record (document_id, model_version_id, text_revision, content_hash, state,
                                          next_attempt_at, attempts, batch_limit, last_error, created_at)
            SELECT n, %s, 1, '',
                   CASE WHEN n <= %s THEN 'pending' WHEN n <= %s THEN 'quarantined' ELSE 'ready' END,
                   now() + n * interval '1 ms', 0, 64, '', now()
            FROM generate_series(1, %s) AS n
            """,
            [version, PENDING, PENDING + QUARANTINED, DOCUMENTS],
        )
        cursor.execute("ANALYZE document; ANALYZE embedding_record; ANALYZE namespace")
    yield
    empty_tables()
    connection.close()


@pytest.fixture
def admin(many_rows: None) -> Client:
    client = Client(SERVER_NAME="localhost")
    user, _ = get_user_model().objects.get_or_create(username="many-rows", is_staff=True, is_superuser=True)
    client.force_login(user)
    return client


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def rows_touched(sql: str) -> int:
    """Rows of the large tables that the query reads, those it throws away included."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}".replace("%", "%%"), ())
        (found,) = cursor.fetchone()
    plan = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    return sum(
        node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
        for node in nodes(plan)
        if node.get("Relation Name") in LARGE
    )


@pytest.mark.parametrize(
    "page",
    [
        "document/",
        "document/?p=100",
        "document/?q=doc/1",
        "document/?q=nothing",
        "document/?namespace__id__exact=1",
        "document/?namespace__id__exact=3&q=doc/1",
        "document/150000/change/",
        "embeddingrecord/",
        "embeddingrecord/?p=100",
        "embeddingrecord/?state=pending",
        "embeddingrecord/?state=quarantined",
        "embeddingrecord/?state=quarantined&model_version__id__exact=1",
        "namespace/",
        "namespace/3/change/",
        "modelregistry/",
        "modelregistry/1/change/",
    ],
)
def test_a_page_reads_a_small_part_of_the_tables(admin: Client, page: str) -> None:
    with CaptureQueriesContext(connection) as captured:
        response = admin.get(LISTS + page)
    assert response.status_code == 200
    reads = [
        query["sql"]
        for query in captured
        if any(f'"{table}"' in query["sql"] or f" {table} " in query["sql"] for table in LARGE)
    ]
    assert reads
    assert {sql: touched for sql in reads if (touched := rows_touched(sql)) > MAX_ROWS_TOUCHED} == {}


def test_the_pages_end_long_before_the_rows_do(admin: Client) -> None:
    assert admin.get(f"{LISTS}document/?p=101").status_code == 302
    page = admin.get(f"{LISTS}document/").content.decode()
    assert "about 200,000" in page
    assert "search or filter to see others" in page
    assert "more than 10,000" in admin.get(f"{LISTS}embeddingrecord/?state=pending").content.decode()


def test_a_search_by_prefix_finds_in_every_namespace_and_in_one(many_rows: None) -> None:
    found = find_by_prefix("doc/1234", None)
    assert sorted(found) == [1234, *range(12340, 12350), *range(123400, 123500)]
    assert sorted(find_by_prefix("doc/1234", 2)) == list(range(12340, 12350))
    assert find_by_prefix("doc_1234", None) == []
    assert find_by_prefix("%", None) == []


def test_waiting_records_are_counted_up_to_a_limit(many_rows: None) -> None:
    assert [(work.pending, work.quarantined) for work in version_work(COUNT_CAP)] == [(COUNT_CAP, QUARANTINED)]
    assert [(work.pending, work.quarantined) for work in version_work()] == [(PENDING, QUARANTINED)]


def test_documents_of_a_large_namespace_are_estimated(many_rows: None) -> None:
    counted = count_documents([1])[1]
    assert counted.counted == NAMESPACE_COUNT_CAP + 1
    assert counted.estimated == pytest.approx(IN_NAMESPACE, rel=0.3)
    assert str(counted).startswith("about ")
