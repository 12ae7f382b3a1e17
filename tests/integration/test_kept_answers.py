"""Writes with an `Idempotency-Key`: one write and one answer, committed together, however often the key comes."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event
from typing import Any

import pytest

from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.limits import MAX_KEPT_ANSWER_BYTES
from embeddings_app.records.kept_answers import StoredAnswer, WriteKey, find_answer
from embeddings_app.services.documents.deleting import DeleteResult, delete, delete_many
from embeddings_app.services.documents.once import AlreadyAnswered, Once
from embeddings_app.services.documents.outcomes import UpsertResult
from embeddings_app.services.documents.updating import MetadataChange, Updated, update_many
from embeddings_app.services.documents.upserting import upsert
from embeddings_app.services.jobs.job import Run
from embeddings_app.services.jobs.retention import RETENTION
from embeddings_app.services.namespaces import namespace
from tests.integration.indexing_steps import NAMESPACE, document, in_thread, put, request, rows

pytestmark = pytest.mark.usefixtures("database")


def key(name: str = "k", *, caller: str = "emb", digest: bytes = b"one") -> WriteKey:
    return WriteKey(caller=caller, key=name, request_hash=digest)


def body(result: UpsertResult) -> bytes:
    return json.dumps([repr(item) for item in result.results]).encode()


def once(body_of: Callable[[Any], bytes] = body, **named: Any) -> Once[Any]:
    return Once(key=key(**named), body_of=body_of)


def revisions() -> list[tuple[Any, ...]]:
    return rows("SELECT doc_id, revision FROM document ORDER BY doc_id")


def test_the_answer_is_there_with_the_write() -> None:
    result = upsert(request(document("a", "one")), once())
    assert find_answer(key()) == StoredAnswer(b"one", 200, body(result))
    assert once().kept() == StoredAnswer(b"one", 200, body(result))


def test_a_write_that_fails_after_its_answer_was_kept_leaves_neither() -> None:
    """The process dies between the answer and the commit: the database takes both back."""

    class Died(Exception):
        pass

    class DyingLast(Once[UpsertResult]):
        def within(self, work: Any, result_of: Any) -> Any:
            super().within(work, result_of)
            assert find_answer(self.key) is not None
            assert revisions() == [("a", 1)]
            raise Died

    with pytest.raises(Died):
        upsert(request(document("a", "one")), DyingLast(key=key(), body_of=body))
    assert (find_answer(key()), revisions()) == (None, [])
    upsert(request(document("a", "one")), once())
    assert revisions() == [("a", 1)]


def test_a_session_that_is_cut_before_the_commit_leaves_neither() -> None:
    def cut(_result: UpsertResult) -> bytes:
        (pid,) = rows("SELECT pg_backend_pid()")[0]
        with ThreadPoolExecutor(1) as pool:
            pool.submit(in_thread, rows, "SELECT pg_terminate_backend(%s)", pid).result()
        return b"{}"

    with ThreadPoolExecutor(1) as pool:
        lost = pool.submit(in_thread, upsert, request(document("a", "one")), once(cut))
        assert lost.exception() is not None
    assert (find_answer(key()), revisions()) == (None, [])


def test_a_refused_write_leaves_the_key_free() -> None:
    put(("a", "one"))
    late = replace(document("a", "two"), if_revision=7)
    with pytest.raises(InvalidRequest, match="revision 1"):
        upsert(request(late), once())
    assert find_answer(key()) is None


def test_of_requests_at_once_one_writes_and_the_others_get_its_answer() -> None:
    put(("a", "first"))
    inside, go_on = Event(), Event()

    def slow(result: UpsertResult) -> bytes:
        inside.set()
        assert go_on.wait(60)
        return body(result)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(in_thread, upsert, request(document("a", "second")), once(slow))
        assert inside.wait(60)
        second = pool.submit(in_thread, upsert, request(document("a", "second")), once())
        until = time.monotonic() + 60
        waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE %s"
        while not rows(waiting, "%INTO kept_answer%"):
            assert time.monotonic() < until
            time.sleep(0.01)
        go_on.set()
        result = first.result()
        caught = second.exception()
    assert isinstance(caught, AlreadyAnswered)
    assert caught.answer == StoredAnswer(b"one", 200, body(result))
    assert revisions() == [("a", 2)]


def test_a_key_belongs_to_its_caller_and_to_one_request() -> None:
    upsert(request(document("a", "one")), once())
    assert once(caller="other").kept() is None
    for use in (once(digest=b"two").kept, lambda: upsert(request(document("a", "two")), once(digest=b"two"))):
        with pytest.raises(InvalidRequest) as caught:
            use()
        assert (caught.value.code, caught.value.field) == ("idempotency_key_reused", "Idempotency-Key")
    assert revisions() == [("a", 1)]


def test_after_its_time_a_key_is_free_again_and_the_job_deletes_it() -> None:
    upsert(request(document("a", "one")), once())
    rows("UPDATE kept_answer SET expires_at = now() - interval '1 s' RETURNING 1")
    assert once(digest=b"two").kept() is None
    upsert(request(document("a", "two")), once(digest=b"two"))
    upsert(request(document("b", "one")), once(name="k2"))
    rows("UPDATE kept_answer SET expires_at = now() WHERE key = 'k2' RETURNING 1")
    done = RETENTION.work(Run(deadline=time.monotonic() + 10))
    assert done.result["answers_deleted"] == 1
    assert rows("SELECT key, request_hash FROM kept_answer") == [("k", b"two")]


def test_an_answer_that_is_too_large_refuses_the_write() -> None:
    with pytest.raises(InvalidRequest, match="name fewer documents"):
        upsert(request(document("a", "one")), once(lambda _result: b"x" * (MAX_KEPT_ANSWER_BYTES + 1)))
    assert (find_answer(key()), revisions()) == (None, [])


def test_a_later_answer_takes_the_place_of_the_one_of_the_commit() -> None:
    upsert(request(document("a", "one")), once())
    once().settle(b'{"state":"searchable"}')
    once().settle(b"x" * (MAX_KEPT_ANSWER_BYTES + 1))
    once(digest=b"two").settle(b"of another request")
    assert find_answer(key()) == StoredAnswer(b"one", 200, b'{"state":"searchable"}')


def test_deletes_and_changes_keep_theirs() -> None:
    put(("a", "one"), ("b", "two"), ("c", "three"))
    space = namespace(NAMESPACE)
    changed: Once[Updated] = Once(key=key("update"), body_of=lambda done: f"{done.matched} {done.changed}".encode())
    update_many(space, ["a", "b"], MetadataChange({"n": 1}, ()), once=changed)
    gone: Once[int] = Once(key=key("delete"), body_of=lambda count: str(count).encode())
    delete_many(space, ["a", "no"], once=gone)
    one: Once[DeleteResult] = Once(key=key("one"), body_of=lambda done: f"{done.revision} {done.deleted}".encode())
    delete(NAMESPACE, "b", one)
    assert rows("SELECT key, convert_from(body, 'UTF8') FROM kept_answer ORDER BY id") == [
        ("update", "2 2"),
        ("delete", "1"),
        ("one", "3 True"),
    ]
    for again in (lambda: delete_many(space, ["c"], once=gone), lambda: delete(NAMESPACE, "c", one)):
        with pytest.raises(AlreadyAnswered):
            again()
    assert ("c", 1) in revisions()
