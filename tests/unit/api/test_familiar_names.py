"""A field of another product, or a typo, is answered with the name it has here."""

import pytest

from embeddings_app.api.requests.familiar_names import known_fields
from embeddings_app.api.requests.searches import search_request
from tests.unit.api.refusals import refusal

SEARCH = ("query", "vector", "like", "top_k", "filters", "namespace", "ef_search", "min_score")


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("k", "top_k"), ("limit", "top_k"), ("n_results", "top_k"), ("top-k", "top_k"), ("where", "filters"),
        ("filter", "filters"), ("collection", "namespace"), ("score_threshold", "min_score"), ("querry", "query"),
        ("embedding", "vector"), ("positive", "like"), ("Namespace", "namespace"),
    ],
)  # fmt: skip
def test_the_name_of_another_product_is_translated(sent: str, meant: str) -> None:
    assert known_fields(sent, SEARCH).startswith(f"did you mean {meant}? the known fields are ")


@pytest.mark.parametrize("sent", ["colour", "", "x" * 10_000, "k\0"])
def test_a_name_that_means_nothing_is_answered_with_the_known_ones(sent: str) -> None:
    assert known_fields(sent, SEARCH) == "the known fields are " + ", ".join(sorted(SEARCH))


def test_a_request_without_fields_says_so() -> None:
    assert known_fields("reason", ()) == "this request has no fields"


def test_a_search_refuses_the_field_by_its_own_name() -> None:
    assert refusal(lambda: search_request({"query": "x", "k": 5})) == ("unknown_field", "k")
