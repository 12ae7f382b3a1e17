"""Bodies of /v1/search."""

import pytest

from embedding_project.contracts.filters import Condition
from embedding_project.contracts.limits import DEFAULT_EF_SEARCH, DEFAULT_TOP_K
from embeddings_app.api.requests.searches import search_request
from embeddings_app.services.search.query_vectors import Liked, Wanted
from tests.unit.api.refusals import refusal

QUERY: dict[str, object] = {"query": "foxes"}
TOO_DEEP = {"not": {"not": {"not": {"not": {"a": 1}}}}}


def test_a_plain_query_gets_the_defaults() -> None:
    request = search_request(dict(QUERY))
    assert (request.wanted, request.namespace) == (Wanted(query="foxes"), "default")
    assert (request.top_k, request.ef_search, request.exact) == (DEFAULT_TOP_K, DEFAULT_EF_SEARCH, False)
    assert request.allow_partial
    assert (request.filter, request.include, request.min_tokens) == (None, frozenset({"metadata"}), {})


def test_a_vector_is_passed_on_unchecked_but_for_being_a_list_or_a_string() -> None:
    assert search_request({"vector": "AACAPw=="}).wanted == Wanted(vector="AACAPw==")
    assert search_request({"vector": [1, "x"]}).wanted == Wanted(vector=[1, "x"])


def test_documents_to_be_like_have_weights() -> None:
    body = {"like": ["a", {"id": "b", "weight": 0.5}], "unlike": ["c"]}
    assert search_request(body).wanted.liked == (
        Liked("a", 1.0, "like[0]"),
        Liked("b", 0.5, "like[1]"),
        Liked("c", -1.0, "unlike[0]"),
    )


def test_filters_are_parsed() -> None:
    request = search_request({**QUERY, "filters": {"lang": "en"}, "include": [], "exact": True})
    assert request.filter == Condition("lang", "eq", "en")
    assert (request.include, request.exact) == (frozenset(), True)


def test_all_shards_or_none_can_be_asked_for() -> None:
    assert not search_request({**QUERY, "allow_partial": False}).allow_partial


def test_the_breadth_is_a_number_or_the_word_auto() -> None:
    assert search_request({**QUERY, "ef_search": 7}).ef_search == 7
    assert search_request({**QUERY, "ef_search": "auto"}).ef_search is None


def test_a_version_can_be_asked_for() -> None:
    assert search_request(dict(QUERY)).model_version is None
    assert search_request({**QUERY, "model_version": 2}).model_version == 2


@pytest.mark.parametrize("key", ["a__b", "metadata__id__regex", "_connector", "_negated", "$where", "__class__"])
def test_a_filter_key_is_only_ever_a_name(key: str) -> None:
    assert search_request({**QUERY, "filters": {key: 1}}).filter == Condition(key, "eq", 1)


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, "missing_field", "query"),
        ({"query": "x", "vector": [1]}, "invalid_value", "vector"),
        ({"query": 5}, "invalid_type", "query"),
        ({"query": " "}, "empty_input", "query"),
        ({"vector": None}, "missing_field", "query"),
        ({"vector": {"1": 2}}, "invalid_type", "vector"),
        ({**QUERY, "offset": 1_000}, "invalid_value", "offset"),
        ({**QUERY, "offset": 991}, "invalid_value", "offset"),
        ({**QUERY, "offset": -1}, "invalid_value", "offset"),
        ({**QUERY, "min_score": 1.5}, "invalid_value", "min_score"),
        ({**QUERY, "mmr": "0.5"}, "invalid_type", "mmr"),
        ({**QUERY, "like": ["a"]}, "invalid_value", "like"),
        ({"unlike": ["a"]}, "missing_field", "like"),
        ({"like": []}, "invalid_value", "like"),
        ({"like": [7]}, "invalid_type", "like[0]"),
        ({"like": [{"id": "a", "weight": -1}]}, "invalid_value", "like[0].weight"),
        ({"like": [{"weight": 1}]}, "missing_field", "like[0].id"),
        ({"like": [str(n) for n in range(33)]}, "too_many_items", "like"),
        ({**QUERY, "top_k": 0}, "invalid_value", "top_k"),
        ({**QUERY, "top_k": 1001}, "invalid_value", "top_k"),
        ({**QUERY, "top_k": -1}, "invalid_value", "top_k"),
        ({**QUERY, "top_k": 2**63}, "invalid_value", "top_k"),
        ({**QUERY, "top_k": 1.0}, "invalid_type", "top_k"),
        ({**QUERY, "top_k": "5"}, "invalid_type", "top_k"),
        ({**QUERY, "top_k": True}, "invalid_type", "top_k"),
        ({**QUERY, "ef_search": 10**9}, "invalid_value", "ef_search"),
        ({**QUERY, "ef_search": "Auto"}, "invalid_value", "ef_search"),
        ({**QUERY, "ef_search": "100"}, "invalid_value", "ef_search"),
        ({**QUERY, "ef_search": 1.0}, "invalid_type", "ef_search"),
        ({**QUERY, "ef_search": ["auto"]}, "invalid_type", "ef_search"),
        ({**QUERY, "model_version": 0}, "invalid_value", "model_version"),
        ({**QUERY, "model_version": 2**31}, "invalid_value", "model_version"),
        ({**QUERY, "model_version": "2"}, "invalid_type", "model_version"),
        ({**QUERY, "exact": 1}, "invalid_type", "exact"),
        ({**QUERY, "include": "text"}, "invalid_type", "include"),
        ({**QUERY, "include": ["score"]}, "invalid_value", "include[0]"),
        ({**QUERY, "include": ["text", 1]}, "invalid_type", "include[1]"),
        ({**QUERY, "include": ["text"] * 4}, "too_many_items", "include"),
        ({**QUERY, "min_token": 5}, "invalid_type", "min_token"),
        ({**QUERY, "min_token": "x" * 70_000}, "invalid_token", "min_token"),
        ({**QUERY, "min_token": ["x", 5]}, "invalid_type", "min_token[1]"),
        ({**QUERY, "min_token": ["x", "x" * 70_000]}, "invalid_token", "min_token[1]"),
        ({**QUERY, "group_by": ""}, "invalid_value", "group_by"),
        ({**QUERY, "group_by": 5}, "invalid_type", "group_by"),
        ({**QUERY, "group_size": 2}, "missing_field", "group_by"),
        ({**QUERY, "group_by": "page", "group_size": 101}, "invalid_value", "group_size"),
        ({**QUERY, "group_by": "page", "group_size": 100, "top_k": 11}, "invalid_value", "group_size"),
        ({**QUERY, "group_by": "page", "mmr": 0.5}, "invalid_value", "mmr"),
        ({**QUERY, "group_by": "page", "mmr": 0}, "invalid_value", "mmr"),
        ({**QUERY, "min_token": []}, "invalid_value", "min_token"),
        ({**QUERY, "min_token": ["x"] * 33}, "too_many_items", "min_token"),
        ({**QUERY, "filters": []}, "invalid_filter", "filters"),
        ({**QUERY, "filters": {"a": {"regex": "(a+)+$"}}}, "invalid_filter", "filters.a.regex"),
        ({**QUERY, "filters": {"a": {"in": list(range(257))}}}, "invalid_filter", "filters.a.in"),
        ({**QUERY, "filters": {"a": float("inf")}}, "invalid_number", "filters.a.eq"),
        ({**QUERY, "filters": {"and": [{f"k{n}": n} for n in range(65)]}}, "invalid_filter", "filters.and[64].k64"),
        (
            {**QUERY, "filters": TOO_DEEP},
            "invalid_filter",
            "filters.not.not.not.not",
        ),
    ],
)
def test_a_bad_body_is_refused_with_code_and_field(body: dict[str, object], code: str, field: str) -> None:
    assert refusal(lambda: search_request(body)) == (code, field)
