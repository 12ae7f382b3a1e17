"""The log: no gaps, commit order, and nothing in it that a delete did not see."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from embedding_project.contracts.errors import Unavailable
from embedding_project.contracts.model_spec import ModelSpec
from embeddings_app.records.changes import ChangedDocument, MissingCounter, append_changes
from embeddings_app.records.topology import writable_layouts
from embeddings_app.records.transactions import RetryTransaction, in_transaction
from embeddings_app.services.documents.deleting import delete
from embeddings_app.services.embedding.embed import EmbedOutcome
from tests.integration.indexing_steps import NAMESPACE, embed, in_thread, index, make_due, put, record, rows

pytestmark = pytest.mark.usefixtures("database")


def _gaps() -> list[tuple[int, int, int]]:
    return rows(
        """
        SELECT c.shard, c.head, count(s.seq) FROM shard_counter c
        LEFT JOIN shard_change s USING (layout_id, model_version_id, shard)
        GROUP BY c.shard, c.head, c.model_version_id HAVING c.head <> count(s.seq) OR c.head <> coalesce(max(s.seq), 0)
        """
    )


def test_sequence_numbers_have_no_gaps_under_concurrent_writers() -> None:
    def write(worker: int) -> None:
        for turn in range(5):
            put(*((f"d{(worker * 3 + turn * 7 + step) % 40}", f"text {worker} {turn} {step}") for step in range(8)))
            index()
            delete(NAMESPACE, f"d{(worker + turn) % 40}")

    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(in_thread, write, worker) for worker in range(6)]:
            done.result()
    make_due()
    index()
    assert _gaps() == []
    assert rows("SELECT count(*) FROM embedding_record WHERE state <> 'ready'") == [(0,)]


def test_a_vector_of_an_older_text_is_dropped() -> None:
    put(("a", "first"))

    def overtaken(spec: ModelSpec, texts: Sequence[str]) -> list[EmbedOutcome]:
        put(("a", "second"))
        return embed(spec, texts)

    def first_overtaken(spec: ModelSpec, texts: Sequence[str]) -> list[EmbedOutcome]:
        return overtaken(spec, texts) if record("a")[1] == 0 and "first" in texts else embed(spec, texts)

    index(first_overtaken)
    make_due()
    index()
    assert record("a")[:2] == ("ready", 2)
    assert len(rows("SELECT 1 FROM shard_change")) == 1


def test_a_delete_while_the_text_is_embedded_leaves_no_vector() -> None:
    put(("a", "first"))

    def deleted_meanwhile(spec: ModelSpec, texts: Sequence[str]) -> list[EmbedOutcome]:
        delete(NAMESPACE, "a")
        return embed(spec, texts)

    index(deleted_meanwhile)
    assert rows("SELECT 1 FROM embedding_vector") == rows("SELECT 1 FROM embedding_record") == []


def test_the_write_waits_for_a_delete_that_has_not_committed_yet() -> None:
    """The delete holds the row and the counter; the write must not slip a vector in behind its tombstone."""
    put(("a", "first"))
    index()
    put(("a", "second"))
    deleting, may_commit = threading.Event(), threading.Event()

    def slow_delete() -> None:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT id FROM document WHERE doc_id = 'a' FOR NO KEY UPDATE")
            deleting.set()
            assert may_commit.wait(60)
            cursor.execute("UPDATE document SET deleted = true, revision = revision + 1 WHERE doc_id = 'a'")
            cursor.execute("DELETE FROM embedding_vector")
            cursor.execute("COMMIT")

    with ThreadPoolExecutor(2) as pool:
        delete_done = pool.submit(in_thread, slow_delete)
        assert deleting.wait(60)
        index_done = pool.submit(in_thread, index)
        with pytest.raises(TimeoutError):
            index_done.result(0.3)
        may_commit.set()
        delete_done.result()
        index_done.result()
    assert rows("SELECT 1 FROM embedding_vector") == []


def test_writers_that_meet_crosswise_are_tried_again() -> None:
    def write(order: int) -> None:
        names = [f"x{number}" for number in range(30)]
        for turn in range(6):
            put(*((name, f"{order} {turn} {name}") for name in names[::order]))

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(in_thread, write, order) for order in (1, -1, 1, -1)]:
            done.result()
    assert len(rows("SELECT 1 FROM document WHERE doc_id LIKE 'x%'")) == 30


def test_a_writer_that_loses_every_race_is_told_to_come_back() -> None:
    tries: list[int] = []

    def lose() -> None:
        tries.append(1)
        raise RetryTransaction("another writer was first")

    with pytest.raises(Unavailable) as caught:
        in_transaction(lose)
    assert (caught.value.code, caught.value.kind.retryable, len(tries)) == ("busy", True, 4)


def test_a_log_without_a_counter_is_no_race() -> None:
    put(("a", "text"))
    (document,) = rows("SELECT id, shard_hash FROM document")
    with pytest.raises(MissingCounter):
        in_transaction(
            lambda: append_changes(writable_layouts(), [10**6], [ChangedDocument(document[0], 1, document[1])])
        )
