"""Stale records: what lacks its vector becomes work again, what is as it should be is left alone."""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from embeddings_app.models import ModelRegistry
from embeddings_app.records import stale_records
from embeddings_app.services.documents.deleting import delete
from embeddings_app.services.documents.upserting import upsert
from embeddings_app.services.jobs.job import Run
from embeddings_app.services.jobs.stale_records import scan_for_stale_records
from tests.integration.indexing_steps import NAMESPACE, document, index, put, record, request, rows
from tests.integration.reembedding_steps import forget_model, new_model, start
from tests.integration.test_index_node import version_key

pytestmark = pytest.mark.usefixtures("database", "redis")


def scan(chunk_documents: int = 100, **progress: int) -> dict[str, int]:
    """One run; its result and its progress."""
    done = scan_for_stale_records(Run(deadline=time.monotonic() + 60.0, progress=progress), chunk_documents)
    return {**done.result, **(done.progress or {})}


def pending() -> list[str]:
    found = rows(
        """
        SELECT d.doc_id FROM embedding_record r JOIN document d ON d.id = r.document_id
        WHERE r.state = 'pending' ORDER BY d.doc_id
        """
    )
    return [doc_id for (doc_id,) in found]


@pytest.fixture
def three(database: str) -> None:
    put(*((name, f"text {name}") for name in "abc"))
    index()


@pytest.fixture
def two_versions(database: str) -> Iterator[tuple[ModelRegistry, ModelRegistry]]:
    first, second = new_model()
    yield first, second
    forget_model(first)


@pytest.mark.usefixtures("three")
def test_nothing_is_touched_while_nothing_is_wrong() -> None:
    put(("d", "waits"))
    before = rows("SELECT xmin::text, state FROM embedding_record ORDER BY id")
    assert scan() == {"checked": 4, "made_pending": 0, "saw_all": True, "after": 0}
    assert rows("SELECT xmin::text, state FROM embedding_record ORDER BY id") == before


@pytest.mark.usefixtures("three")
def test_what_lacks_its_record_or_has_one_of_an_earlier_text_is_embedded_again() -> None:
    rows("DELETE FROM embedding_record USING document d WHERE d.id = document_id AND d.doc_id = 'a' RETURNING 1")
    rows("UPDATE document SET text_revision = 2, revision = 2 WHERE doc_id = 'b' RETURNING 1")
    assert scan()["made_pending"] == 2
    assert pending() == ["a", "b"]
    index()
    assert record("b")[:2] == ("ready", 2)
    assert scan()["made_pending"] == 0


@pytest.mark.usefixtures("three")
def test_what_indexers_work_on_gave_up_or_cannot_do_is_left_alone() -> None:
    rows("UPDATE document SET text_revision = 2 RETURNING 1")
    rows("UPDATE embedding_record SET state = 'quarantined' RETURNING 1")
    put(("gone", "is deleted"))
    delete(NAMESPACE, "gone")
    rows("UPDATE namespace SET store_text = false RETURNING 1")
    put(("unkept", "is not kept"))
    index()
    rows("DELETE FROM embedding_record USING document d WHERE d.id = document_id AND d.doc_id = 'unkept' RETURNING 1")
    assert scan()["made_pending"] == 0
    rows("UPDATE namespace SET store_text = true RETURNING 1")


def test_it_walks_in_chunks_and_begins_again_at_the_end() -> None:
    put(*((f"{number}", f"text {number}") for number in range(10)))
    keys = [key for (key,) in rows("SELECT id FROM document ORDER BY id")]
    out_of_time = scan_for_stale_records(Run(deadline=0.0, progress={"after": keys[2]}))
    assert (out_of_time.result["checked"], out_of_time.progress) == (0, {"after": keys[2]})
    assert stale_records.scan(keys[2], 4).last_key == keys[6]
    assert scan(chunk_documents=4, after=keys[2]) == {"checked": 7, "made_pending": 0, "saw_all": True, "after": 0}
    assert scan(after=keys[-1] + 100)["saw_all"]


def test_each_version_that_is_whole_is_looked_at_and_one_that_is_filled_is_not(
    two_versions: tuple[ModelRegistry, ModelRegistry],
) -> None:
    first, second = two_versions
    put_into(first, "a", "b")
    index()
    start(second)
    assert scan()["made_pending"] == 0
    ModelRegistry.objects.filter(pk=second.pk).update(status="shadow")
    assert scan()["made_pending"] == 2
    assert rows("SELECT count(*) FROM embedding_record WHERE model_version_id = %s", second.pk) == [(2,)]


def test_a_version_that_ends_meanwhile_gets_no_work(two_versions: tuple[ModelRegistry, ModelRegistry]) -> None:
    first, second = two_versions
    put_into(first, "a")
    keys = [key for (key,) in rows("SELECT id FROM document")]
    assert stale_records.make_pending(second.pk, keys) == 0


@pytest.mark.usefixtures("three")
def test_a_document_that_was_written_meanwhile_is_looked_at_again() -> None:
    rows("DELETE FROM embedding_record USING document d WHERE d.id = document_id RETURNING 1")
    found = stale_records.scan(0, 100).stale
    assert len(found) == 3
    put(("a", "written anew"))
    delete(NAMESPACE, "b")
    assert stale_records.make_pending(version_key(), [key for key, _ in found]) == 1


def put_into(version: ModelRegistry, *names: str) -> None:
    """Documents of another model than the default one."""
    documents = tuple(document(name, f"text {name}") for name in names)
    upsert(replace(request(namespace="other", model_id=version.model_id), documents=documents))
