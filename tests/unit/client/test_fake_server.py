"""The double that the Python client ships for tests of its users."""

from typing import Any

import pytest
from embsearch import Document, RateLimited, Unauthenticated
from embsearch.testing import FakeServer
from embsearch.testing.matching import filter_test
from embsearch.testing.matching import flatten as fake_flatten
from embsearch.testing.refusals import Refusal
from hypothesis import given
from hypothesis import strategies as st

from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.filters import matches, parse_filter
from embedding_project.contracts.metadata import checked_metadata, flatten
from tests.client_contract import ClientContract, NamespacesContract, Place
from tests.client_word_contract import TextSearchContract


class TestFakeServer(ClientContract, NamespacesContract, TextSearchContract):
    @pytest.fixture
    def place(self) -> Place:
        server = FakeServer()
        return Place(server.client, server.async_client)


def test_a_test_can_say_what_the_double_refuses() -> None:
    server = FakeServer()
    with server.client(retries=2) as client:
        server.refuse(503, "index_unavailable", times=2)
        client.namespace("notes").upsert(Document("1", "a fox"))
        assert server.requests == [("POST", "/v1/upsert")] * 3
        server.refuse(429, "rate_limited", times=3, retry_after=0)
        with pytest.raises(RateLimited):
            client.namespace("notes").count()


def test_the_double_ranks_texts_by_the_words_of_the_query() -> None:
    server = FakeServer()
    with server.client() as client:
        ranked = client.rerank("red fox", ["an owl", "a red fox", "a fox"])
        assert [(one.index, one.score) for one in ranked] == [(1, 1.0), (2, 0.5), (0, 0.0)]
        assert len(client.rerank("red fox", ["an owl", "a fox"], top_n=1)) == 1
        notes = client.namespace("notes")
        notes.upsert([Document("1", "an owl"), Document("2", "a red fox")])
        hits = notes.search("owl", rerank={"query": "fox", "top": 2})
        assert [hit.id for hit in hits] == ["2", "1"]
        assert hits.rerank is not None
        assert (hits.rerank.reranked, hits.rerank.error) == (2, None)
        assert (hits[0].ranks or {})["search"] == 2


def test_the_double_can_ask_for_a_key() -> None:
    server = FakeServer(api_key="emb_1")
    with server.client() as client, server.client(api_key="emb_2") as stranger:
        assert client.models.list()[0].model_id == "fake-model"
        with pytest.raises(Unauthenticated):
            stranger.models.list()


NAMES = ["x", "y", "y.z", "and"]
scalars: st.SearchStrategy[Any] = st.one_of(
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.5, 1.0, 1e23, 1.7643548061234568e18, 1764354806123456800, 2**53 + 1]),
    st.sampled_from(["", "a", "b", "2026-01-02T00:00:00+01:00", "2026-01-01T23:00:00Z", "2026-01-01 23:00:00.5Z"]),
)
leaf_values = st.one_of(st.none(), scalars, st.lists(scalars, max_size=3))
metadata = st.dictionaries(
    st.sampled_from(["x", "y", "z", "and"]),
    st.recursive(
        leaf_values,
        lambda inner: st.one_of(
            st.dictionaries(st.sampled_from(["x", "z"]), inner, max_size=2), st.lists(inner, max_size=3)
        ),
        max_leaves=4,
    ),
    max_size=3,
)
operands = st.one_of(scalars, st.lists(scalars, max_size=3), st.none())
operators = st.sampled_from(["eq", "ne", "in", "nin", "gt", "gte", "lt", "lte", "contains", "exists", "$eq", "like"])
leaves = st.dictionaries(
    st.sampled_from(NAMES), st.one_of(operands, st.dictionaries(operators, operands, max_size=2)), max_size=2
)
filters = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"not": inner}),
        st.fixed_dictionaries({"and": st.lists(inner, max_size=2)}),
        st.fixed_dictionaries({"or": st.lists(inner, max_size=2)}),
        st.fixed_dictionaries({"must": st.lists(inner, max_size=2)}),
    ),
    max_leaves=5,
)


@given(filters, metadata)
def test_its_filters_are_those_of_the_service(filter_: dict[str, Any], values: dict[str, Any]) -> None:
    assert _fake_verdict(filter_, values) == _verdict(filter_, values)


def _verdict(filter_: dict[str, Any], values: dict[str, Any]) -> object:
    """Whether the metadata passes in the service; else how it refuses the filter."""
    try:
        parsed = parse_filter(filter_)
    except InvalidRequest as refusal:
        return refusal.code, refusal.field
    return parsed is None or matches(parsed, flatten(checked_metadata(values, "metadata")))


def _fake_verdict(filter_: dict[str, Any], values: dict[str, Any]) -> object:
    try:
        return filter_test(filter_)(fake_flatten(values))
    except Refusal as refusal:
        return refusal.error["code"], refusal.error.get("field")
