"""Documents listed, counted, changed and deleted by a filter: all that pass, each once, and no other."""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from embedding_project.contracts.errors import InvalidRequest, ServiceError
from embedding_project.contracts.filters import Filter, parse_filter
from embedding_project.contracts.limits import MAX_NAMESPACE_FIELDS
from embeddings_app.records.document_walk import Walk
from embeddings_app.services import namespaces
from embeddings_app.services.documents import by_filter, cursors, listing
from embeddings_app.services.documents.by_filter import delete_matching, update_matching
from embeddings_app.services.documents.cursors import Cursor
from embeddings_app.services.documents.deleting import delete, delete_many
from embeddings_app.services.documents.listing import count_documents, count_values, list_documents
from embeddings_app.services.documents.reading import read_document, read_documents
from embeddings_app.services.documents.updating import MetadataChange, update_many
from tests.integration.indexing_steps import NAMESPACE, index, put, rows

pytestmark = pytest.mark.usefixtures("database")
ODD = parse_filter({"odd": True})
NESTED = parse_filter({"in.parity": "odd"})
"""A filter that Postgres alone cannot judge."""


@pytest.fixture
def ten() -> list[str]:
    """Ids of ten documents, of which every other one is odd, in order."""
    for number in range(10):
        odd = number % 2 == 1
        metadata = {
            "odd": odd,
            "n": number,
            "in": {"parity": "odd" if odd else "even"},
            "tags": ["x", f"t{number % 3}"],
        }
        put((f"d{number}", f"text {number}"), metadata=metadata)
    return [f"d{number}" for number in range(10)]


def hurried(seconds: float) -> Callable[[], float]:
    """A clock that goes on by so much at every look."""
    ticks = count()
    return lambda: next(ticks) * seconds


def listed(filter_: Filter | None = None, limit: int = 3, *, descending: bool = False) -> list[str]:
    found: list[str] = []
    after: Cursor | None = None
    while True:
        page = list_documents(NAMESPACE, filter_, limit=limit, after=after, descending=descending)
        assert len(page.documents) <= limit
        found += [document.doc_id for document in page.documents]
        if page.after is None:
            return found
        after = cursors.decode(cursors.encode(page.after))


@pytest.mark.parametrize("filter_", [ODD, NESTED])
def test_pages_have_every_document_that_passes_once(ten: list[str], filter_: Filter) -> None:
    assert listed() == ten
    assert listed(filter_) == ten[1::2]
    assert listed(filter_, descending=True) == ten[1::2][::-1]
    assert listed(limit=1_000) == ten


@pytest.mark.parametrize("filter_", [None, ODD, NESTED])
def test_a_walk_in_windows_finds_what_one_in_a_whole_finds(ten: list[str], filter_: Filter | None) -> None:
    walk = Walk(namespaces.namespace(NAMESPACE).pk, filter_, window=3)
    found: list[str] = []
    total, last = 0, None
    while True:
        window = walk.step(last, 2)
        found += [one.doc_id for one in window.passed]
        if (last := window.last) is None:
            break
    while True:
        counted = walk.count(last)
        total, last = total + counted.count, counted.last
        if last is None:
            break
    assert found == (ten if filter_ is None else ten[1::2])
    assert total == len(found)


def test_a_page_that_takes_too_long_says_where_to_go_on(ten: list[str]) -> None:
    first = list_documents(NAMESPACE, ODD, limit=3, clock=hurried(listing.LISTING_SECONDS), window=4)
    assert [document.doc_id for document in first.documents] == ten[1:4:2]
    rest = list_documents(NAMESPACE, ODD, limit=10, after=first.after)
    assert [document.doc_id for document in rest.documents] == ten[5::2]


def test_a_count_that_takes_too_long_says_so(ten: list[str]) -> None:
    assert count_documents(NAMESPACE, None).is_exact
    assert not count_documents(NAMESPACE, None, hurried(listing.COUNTING_SECONDS), window=4).is_exact


def test_documents_written_and_deleted_between_pages_hide_no_other(ten: list[str]) -> None:
    page = list_documents(NAMESPACE, None, limit=4)
    delete(NAMESPACE, "d3")
    delete(NAMESPACE, "d6")
    put(("d35", "new"), ("a", "new, before the cursor"))
    rest = list_documents(NAMESPACE, None, limit=100, after=page.after)
    assert [document.doc_id for document in rest.documents] == ["d35", "d4", "d5", "d7", "d8", "d9"]


@pytest.mark.parametrize("filter_", [ODD, NESTED])
def test_a_document_that_no_longer_passes_when_it_is_read_is_not_listed(ten: list[str], filter_: Filter) -> None:
    looks = count()

    def looked() -> float:
        """Another client writes between the look for documents and the read of them."""
        if next(looks):
            put(("d3", "text 3"), metadata={"odd": False, "in": {"parity": "even"}})
        return 0.0

    page = list_documents(NAMESPACE, filter_, limit=4, clock=looked, window=6)
    assert [document.doc_id for document in page.documents] == ["d1", "d5", "d7"]
    assert page.after == Cursor("d7", descending=False)


def test_a_cursor_of_the_other_order_or_of_no_listing_is_refused(ten: list[str]) -> None:
    with pytest.raises(InvalidRequest):
        list_documents(NAMESPACE, None, limit=1, after=Cursor("d1", descending=True))
    for text in ("", "x", "[]", "W10", cursors.encode(Cursor("a", descending=False))[:-2], "W" * 5_000):
        with pytest.raises(InvalidRequest):
            cursors.decode(text)


def test_listed_documents_are_those_that_a_read_shows(ten: list[str]) -> None:
    index()
    page = list_documents(NAMESPACE, ODD, limit=10, with_vector=True)
    assert [str(view) for view in page.documents] == [
        str(read_document(NAMESPACE, doc_id, True)) for doc_id in ten[1::2]
    ]
    assert all(view.vector is not None for view in page.documents)
    assert [view.doc_id for view in read_documents(NAMESPACE, ["d7", "none", "d1"], False)] == ["d7", "d1"]


def test_counts_and_values_are_those_of_the_documents_that_pass(ten: list[str]) -> None:
    delete(NAMESPACE, "d1")
    assert count_documents(NAMESPACE, None).count == 9
    assert count_documents(NAMESPACE, ODD).count == count_documents(NAMESPACE, NESTED).count == 4
    assert count_values(NAMESPACE, "odd", None, 10).values == ((False, 5), (True, 4))
    assert count_values(NAMESPACE, "in.parity", ODD, 10).values == (("odd", 4),)
    assert count_values(NAMESPACE, "tags", None, 2).values == (("x", 9), ("t0", 4))
    assert count_values(NAMESPACE, "nothing", None, 10).values == ()


def test_a_value_counts_once_for_each_document_and_types_stay_apart() -> None:
    put(("a", "1"), metadata={"v": [1, 1.0, "1", True]})
    put(("b", "2"), metadata={"v": 1.0})
    put(("c", "3"), metadata={"v": None})
    assert set(count_values(NAMESPACE, "v", None, 10).values) == {(1, 2), ("1", 1), (True, 1)}


@pytest.mark.parametrize("filter_", [ODD, NESTED])
def test_a_delete_by_filter_leaves_all_others(ten: list[str], filter_: Filter) -> None:
    index()
    done = delete_matching(NAMESPACE, filter_, None)
    assert (done.changed, done.after) == (5, None)
    assert listed() == ten[::2]
    assert rows("SELECT count(*) FROM embedding_vector") == [(5,)]
    assert rows("SELECT count(*) FROM shard_change") == [(15,)]
    assert delete_matching(NAMESPACE, filter_, None).changed == 0


def test_a_delete_that_takes_too_long_goes_on_from_its_cursor(ten: list[str]) -> None:
    after, gone, requests = None, 0, 0
    while True:
        done = delete_matching(NAMESPACE, ODD, after, clock=hurried(by_filter.REQUEST_SECONDS), chunk=2)
        gone, requests, after = gone + done.changed, requests + 1, done.after
        if after is None:
            break
    assert (gone, requests) == (5, 3)
    assert listed() == ten[::2]


@pytest.mark.parametrize("filter_", [ODD, NESTED])
def test_what_one_read_found_is_deleted_in_several_transactions(ten: list[str], filter_: Filter) -> None:
    done = delete_matching(NAMESPACE, filter_, None, chunk=2)
    assert (done.changed, done.after) == (5, None)
    assert listed() == ten[::2]
    assert rows("SELECT count(DISTINCT xmin::text) FROM document WHERE deleted") == [(3,)]


def test_a_document_that_no_longer_passes_when_it_is_locked_stays(ten: list[str]) -> None:
    space = namespaces.namespace(NAMESPACE)
    put(("d1", "text 1"), metadata={"odd": False})
    assert delete_many(space, ["d1", "d3"], ODD) == 1
    assert "d1" in listed()
    assert update_many(space, ["d1", "d5"], MetadataChange({"seen": 1}, ()), ODD).matched == 1


def test_an_update_changes_metadata_and_nothing_else(ten: list[str]) -> None:
    index()
    before = rows("SELECT doc_id, text, content_hash, text_revision FROM document ORDER BY doc_id")
    done = update_matching(NAMESPACE, ODD, MetadataChange({"seen": {"by": "me"}}, ("tags", "in")), None)
    assert (done.matched, done.changed, done.refused) == (5, 5, ())
    view = read_document(NAMESPACE, "d1", False)
    assert view.metadata == {"odd": True, "n": 1, "seen": {"by": "me"}}
    assert (view.revision, view.state, view.stale) == (2, "indexed", False)
    assert rows("SELECT doc_id, text, content_hash, text_revision FROM document ORDER BY doc_id") == before
    assert rows("SELECT count(*) FROM shard_change") == [(15,)]
    again = update_matching(NAMESPACE, ODD, MetadataChange({"seen": {"by": "me"}}, ()), None)
    assert (again.matched, again.changed) == (5, 0)
    assert rows("SELECT count(*) FROM embedding_record WHERE state = 'pending'") == [(0,)]


def test_an_update_refuses_only_the_documents_that_it_would_make_too_large() -> None:
    long: dict[str, Any] = {f"{number}": "x" * 1_000 for number in range(15)}
    put(("large", "1"), metadata=long)
    put(("small", "2"), metadata={"a": 1})
    done = update_matching(NAMESPACE, None, MetadataChange({"more": "y" * 2_000}, ()), None)
    assert (done.matched, done.changed) == (2, 1)
    assert [(refused.doc_id, refused.error.code) for refused in done.refused] == [("large", "invalid_value")]
    assert read_document(NAMESPACE, "large", False).metadata == long


def test_an_update_cannot_give_a_namespace_too_many_fields() -> None:
    put(("a", "1"), metadata={f"f{number}": number for number in range(MAX_NAMESPACE_FIELDS)})
    with pytest.raises(ServiceError) as caught:
        update_matching(NAMESPACE, None, MetadataChange({"one more": 1}, ()), None)
    assert caught.value.code == "too_many_fields"


def test_rows_that_postgres_cannot_judge_are_read_many_at_a_time(ten: list[str]) -> None:
    """One that is wanted is not looked for row by row."""
    step = Walk(namespaces.namespace(NAMESPACE).pk, NESTED).step("d1", 1)
    assert ([one.doc_id for one in step.passed], step.last) == (["d3"], "d3")
    rest = Walk(namespaces.namespace(NAMESPACE).pk, NESTED).step("d3", 3)
    assert ([one.doc_id for one in rest.passed], rest.last) == (["d5", "d7", "d9"], None)
