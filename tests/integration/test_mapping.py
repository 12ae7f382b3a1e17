"""The sample of a map: all that pass where they are few, else the same ones every time, and none that is gone."""

from itertools import count

import pytest

from embedding_project.contracts.filters import parse_filter
from embeddings_app.records import reading
from embeddings_app.services import namespaces
from embeddings_app.services.documents.deleting import delete
from embeddings_app.services.mapping.maps import MapRequest, document_map
from embeddings_app.services.mapping.sampling import Sample, sample_documents
from tests.integration.indexing_steps import NAMESPACE, index, put

pytestmark = pytest.mark.usefixtures("database")
COUNT = 40


@pytest.fixture
def documents(database: str) -> None:
    for number in range(COUNT):
        odd = number % 2 == 1
        put((f"d{number:02}", f"text {number}"), metadata={"odd": odd, "in": {"parity": "odd" if odd else "even"}})


def sample(most: int, filter_: object = None, window: int = 7) -> Sample:
    space = namespaces.namespace(NAMESPACE)
    chosen = parse_filter(filter_)
    return sample_documents(space.pk, chosen, most, lambda: 0.0, window)


def ids(found: Sample) -> set[str]:
    return {doc_id for doc_id, _ in reading.read_living(found.keys, with_metadata=False).values()}


@pytest.mark.usefixtures("documents")
@pytest.mark.parametrize("filter_", [{"odd": True}, {"in.parity": "odd"}], ids=["in SQL", "in Python"])
def test_all_that_pass_are_taken_where_they_are_few(filter_: object) -> None:
    found = sample(COUNT, filter_)
    assert found.is_whole
    assert ids(found) == {f"d{number:02}" for number in range(1, COUNT, 2)}


@pytest.mark.usefixtures("documents")
def test_the_sample_is_the_same_every_time_and_does_not_follow_the_ids() -> None:
    found = sample(10)
    assert not found.is_whole
    assert found == sample(10, window=1_000)
    assert set(sample(10, {"odd": True}).keys) == set(sample(10, {"in.parity": "odd"}).keys)
    assert ids(found) != {f"d{number:02}" for number in range(10)}


@pytest.mark.usefixtures("documents")
def test_a_sample_ends_when_its_time_is_over() -> None:
    ticks = count()
    space = namespaces.namespace(NAMESPACE)
    found = sample_documents(space.pk, None, COUNT, lambda: float(next(ticks)), window=7)
    assert not found.is_whole
    assert 0 < len(found.keys) < COUNT


@pytest.mark.usefixtures("documents")
def test_a_map_shows_documents_with_a_vector_and_none_that_is_gone() -> None:
    wanted = MapRequest(namespace=NAMESPACE, filter=None, limit=COUNT, path="in.parity", query=None, ids=("d00", "no"))
    before = document_map(wanted)
    assert (before.spots, before.named) == ((), ())
    index()
    whole = document_map(wanted)
    assert {spot.doc_id: spot.value for spot in whole.spots}["d07"] == "odd"
    assert len(whole.spots) == COUNT
    assert [spot.doc_id for spot in whole.named] == ["d00"]
    assert document_map(wanted) == whole
    delete(NAMESPACE, "d07")
    assert {spot.doc_id for spot in document_map(wanted).spots} == {spot.doc_id for spot in whole.spots} - {"d07"}
