"""Namespaces are made, listed and dropped; a dropped one is gone for everybody, and so is, in time, all it held."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from embedding_project.contracts.errors import ServiceError
from embeddings_app.models import BulkBucket, BulkFile, BulkJob, BulkState, JudgedQuery, Judgement
from embeddings_app.records import namespaces as records
from embeddings_app.services import namespaces
from embeddings_app.services.documents import namespace_changes
from embeddings_app.services.documents.deleting import delete
from embeddings_app.services.documents.listing import count_documents
from embeddings_app.services.documents.namespace_changes import Emptied, create, drop, empty_dropped, list_namespaces
from embeddings_app.services.documents.updating import MetadataChange, update_many
from embeddings_app.services.documents.upserting import upsert
from embeddings_app.services.indexing.trimming import trim_logs
from tests.integration.bulk_steps import loaded, made_job
from tests.integration.held_documents import held_documents
from tests.integration.indexing_steps import NAMESPACE, document, in_thread, index, put, request, rows

pytestmark = pytest.mark.usefixtures("database")


def now(_seconds: float) -> None:
    """A pause that is over at once."""


def write(name: str, doc_id: str) -> None:
    upsert(request(document(doc_id, f"text of {doc_id}"), namespace=name))


def emptied(seconds: float = 60.0) -> tuple[int, int]:
    """Documents deleted and namespaces forgotten, from the beginning."""
    done = empty_dropped(seconds, {})
    return done.documents, done.forgotten


def names(only: frozenset[str] = frozenset()) -> list[str]:
    return [entry.name for entry in list_namespaces(only, "", 100)]


def test_namespaces_are_listed_by_name_a_page_at_a_time() -> None:
    for name in ("b", "a", "c"):
        write(name, "1")
    write("a", "2")
    first = list_namespaces(frozenset(), "", 2)
    assert [(entry.name, entry.count, entry.count_is_exact) for entry in first] == [("a", 2, True), ("b", 1, True)]
    assert [entry.name for entry in list_namespaces(frozenset(), "b", 2)] == ["c"]
    assert names(frozenset({"c", "none"})) == ["c"]


def test_a_namespace_is_made_once_and_keeps_its_settings() -> None:
    entry, made = create("new", None, store_text=False, actor="test")
    assert (made, entry.count, entry.store_text) == (True, 0, False)
    assert create("new", entry.model_id, store_text=False, actor="test")[1] is False
    with pytest.raises(ServiceError) as caught:
        create("new", None, store_text=True, actor="test")
    assert caught.value.code == "namespace_exists"
    assert rows("SELECT action FROM audit_event WHERE subject = 'new'") == [("namespace.created",)]


def test_a_dropped_namespace_is_gone_and_its_name_is_free() -> None:
    put(("a", "one"), ("b", "two"))
    index()
    assert drop(NAMESPACE, "test", now)
    assert not drop(NAMESPACE, "test", now)
    assert names() == []
    with pytest.raises(ServiceError):
        count_documents(NAMESPACE, None)
    put(("a", "another"))
    assert count_documents(NAMESPACE, None).count == 1
    assert emptied() == (2, 0)
    assert count_documents(NAMESPACE, None).count == 1
    assert rows("SELECT count(*) FROM embedding_vector") == [(0,)]
    # Each index hears of either document twice: that it came, and that it went.
    assert rows("SELECT count(*) FROM shard_change") == [(4,)]


def test_the_row_of_a_namespace_goes_after_its_last_tombstone() -> None:
    put(("a", "one"))
    index()
    drop(NAMESPACE, "test", now)
    emptied()
    assert len(records.dropped_namespaces()) == 1
    rows("UPDATE document SET updated_at = now() - interval '2 hours' RETURNING id")
    rows("UPDATE shard_change SET created_at = now() - interval '2 hours' RETURNING seq")
    trim_logs(1, 60.0)
    assert emptied() == (0, 1)
    assert records.dropped_namespaces() == []
    assert rows("SELECT count(*) FROM document") == [(0,)]


def test_what_else_belongs_to_a_dropped_namespace_goes_with_its_row() -> None:
    job = made_job()
    loaded(job, ["a"])
    BulkFile.objects.create(job=job, number=0, path="x", size=1, modified_ns=1)
    BulkBucket.objects.create(job=job, number=0, inserted=1)
    delete(NAMESPACE, "a")
    BulkJob.objects.filter(pk=job.pk).update(state=BulkState.DONE)
    query = JudgedQuery.objects.create(namespace=job.space, query_id="1", text="text")
    Judgement.objects.create(query=query, doc_id="a", relevance=1)
    drop(NAMESPACE, "test", now)
    rows("DELETE FROM document RETURNING id")
    assert emptied() == (0, 1)
    for table in ("namespace", "bulk_job", "bulk_file", "bulk_bucket", "bulk_block", "bulk_touched", "judged_query"):
        assert rows(f"SELECT count(*) FROM {table}") == [(0,)]


def test_who_still_knows_a_namespace_that_has_gone_is_told_so() -> None:
    """A process knows a namespace for a second, and an empty one goes at once."""
    create("short", None, store_text=True, actor="test")
    known = namespaces.namespace("short")
    drop("short", "test", now)
    assert emptied() == (0, 1)
    with pytest.raises(ServiceError) as caught:
        update_many(known, ["1"], MetadataChange({"new": 1}, ()))
    assert caught.value.code == "unknown_namespace"


def test_a_drop_that_was_cut_off_goes_on() -> None:
    put(*((f"d{number}", f"text {number}") for number in range(5)))
    drop(NAMESPACE, "test", now)
    assert emptied(-1.0) == (0, 0)
    ticks = iter([0.0, 0.0, 5.0])
    first = empty_dropped(1.0, {}, lambda: next(ticks), chunk=2)
    (key,) = first.reached
    assert (first.documents, first.reached) == (2, {key: "d1"})
    second = empty_dropped(60.0, first.reached, chunk=2)
    assert (second.documents, second.forgotten, second.reached) == (3, 0, {key: None})
    third = empty_dropped(60.0, second.reached)
    assert (third.documents, third.reached) == (0, {key: None})


def test_a_dropped_namespace_that_cannot_be_emptied_keeps_no_other_waiting() -> None:
    for name in ("first", "second"):
        write(name, "1")
    keys = [namespaces.namespace(name).pk for name in ("first", "second")]
    for name in ("first", "second"):
        drop(name, "test", now)
    with held_documents(keys[0]):
        done = empty_dropped(60.0, {str(keys[0]): "0"})
    assert (done.documents, done.problem) == (1, "busy")
    assert done.reached == {str(keys[0]): "0", str(keys[1]): None}
    done = empty_dropped(60.0, done.reached)
    assert (done.documents, done.problem) == (1, "")


def test_one_that_takes_all_of_the_time_of_a_run_does_not_do_so_each_time() -> None:
    for name in ("first", "second"):
        write(name, "1")
    held, free = (namespaces.namespace(name).pk for name in ("first", "second"))
    for name in ("first", "second"):
        drop(name, "test", now)

    def with_time_for_one() -> Emptied:
        ticks = itertools.chain([0.0, 0.0], itertools.repeat(5.0))
        return empty_dropped(1.0, {}, partial(next, ticks), chunk=1)

    with held_documents(held):
        runs = (with_time_for_one() for _ in range(100))
        assert next(run.reached[str(free)] for run in runs if run.documents) == "1"


def test_no_write_is_lost_in_a_namespace_that_is_dropped_meanwhile() -> None:
    """Whatever is acknowledged after the drop is in the namespace that now has the name."""
    put(("before", "text"))
    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(in_thread, write, NAMESPACE, f"w{number}") for number in range(40)]
        dropped = pool.submit(in_thread, drop, NAMESPACE, "test", now)
        after = [pool.submit(in_thread, write, NAMESPACE, f"after{number}") for number in range(8)]
        assert dropped.result()
        for writer in (*writers, *after):
            writer.result()
    namespaces.forget_cached()
    write(NAMESPACE, "last")
    live = rows(
        "SELECT count(*) FROM document d JOIN namespace n ON n.id = d.namespace_id WHERE n.name = %s", NAMESPACE
    )
    gone = rows(
        "SELECT count(*) FROM document d JOIN namespace n ON n.id = d.namespace_id WHERE n.name LIKE '.dropped%%'"
    )
    assert live[0][0] + gone[0][0] == 50
    assert live[0][0] >= 1
    assert emptied()[0] == gone[0][0]


def test_a_namespace_that_a_bulk_job_fills_cannot_be_dropped() -> None:
    put(("a", "one"))
    rows(
        """
        INSERT INTO bulk_job (namespace_id, model_version_id, epoch, state, wanted, options, splitters, counts, error,
                              worker, actor)
        SELECT n.id, m.id, e.epoch, 'planned', 'run', '{}', '[]', '{}', '', '', 'test'
        FROM namespace n, model_registry m, log_epoch e WHERE m.status = 'active' LIMIT 1 RETURNING id
        """
    )
    try:
        with pytest.raises(ServiceError) as caught:
            drop(NAMESPACE, "test", now)
        assert caught.value.code == "namespace_in_use"
        assert "'manage.py bulk_ingest abort" in caught.value.message
    finally:
        rows("DELETE FROM bulk_job RETURNING id")
    assert namespace_changes.drop(NAMESPACE, "test", now)
