"""What a search can be asked beside its query: pages, a least score, documents to be like, hits that differ."""

from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from tests.acceptance.conftest import ok, until_cached

SPACE = "search-choices"
TEXTS = {
    "fox": "Foxes live in dens.",
    "fox again": "Foxes live in their dens.",
    "vixen": "The vixen digs a den for her cubs.",
    "owl": "Owls hunt mice at night.",
    "bread": "Bread is baked from flour, water and yeast.",
    "rail": "Trains run on rails between cities.",
}


@pytest.fixture(scope="module", autouse=True)
def documents(api: httpx.Client) -> Iterator[None]:
    body = [{"id": name, "text": text, "metadata": {"short": len(text) < 30}} for name, text in TEXTS.items()]
    ok(api.post("/v1/upsert", json={"namespace": SPACE, "documents": body, "wait": "searchable"}))
    yield
    ok(api.delete(f"/v1/namespaces/{SPACE}"))


def hits(api: httpx.Client, **body: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ok(api.post("/v1/search", json={"namespace": SPACE, **body}))["hits"]
    return found


def ids(api: httpx.Client, **body: Any) -> list[str]:
    return [hit["id"] for hit in hits(api, **body)]


def test_groups_are_looked_for_in_wider_rounds(api: httpx.Client, external_model: str) -> None:
    """Fifty documents of one page are nearer than those of all other pages."""
    space, axis = "groups", [1.0] + [0.0] * 7
    near = [{"id": f"near/{n}", "vector": [1.0, n / 1000, *[0.0] * 6], "metadata": {"page": "near"}} for n in range(50)]
    far = [{"id": f"far/{n}", "vector": [1.0, 1.0 + n, *[0.0] * 6], "metadata": {"page": n}} for n in range(5)]
    body = {"namespace": space, "model_id": external_model, "documents": [*near, *far], "wait": "searchable"}
    ok(api.post("/v1/upsert", json=body))

    def found(**asked: object) -> tuple[list[str], dict[str, object]]:
        answer = ok(api.post("/v1/search", json={"namespace": space, "vector": axis, "group_by": "page", **asked}))
        return [hit["id"] for hit in answer["hits"]], answer["groups"]

    assert found(top_k=3) == (["near/0", "far/0", "far/1"], {"count": 3, "seen": 55, "complete": True})
    assert found(top_k=1, group_size=2) == (["near/0", "near/1"], {"count": 1, "seen": 8, "complete": True})
    assert found(top_k=1, offset=5)[0] == ["far/4"]
    everything = (["near/0"], {"count": 1, "seen": 50, "complete": True})
    assert found(top_k=10, filters={"page": "near"}) == everything
    batch = {"searches": [{"namespace": space, "vector": axis, "group_by": "page"}]}
    (refused,) = ok(api.post("/v1/search/batch", json=batch))["results"]
    assert refused["error"]["field"] == "group_by"


def test_an_offset_gives_the_rest_of_the_hits(api: httpx.Client) -> None:
    everything = ids(api, query="where do foxes sleep?", top_k=6)
    assert set(everything) == set(TEXTS)
    assert ids(api, query="where do foxes sleep?", top_k=2, offset=2) == everything[2:4]
    assert ids(api, query="where do foxes sleep?", top_k=10, offset=6) == []


def test_a_least_score_leaves_out_what_is_farther(api: httpx.Client) -> None:
    found = hits(api, query="where do foxes sleep?", top_k=6)
    bound = found[2]["score"]
    assert [hit["id"] for hit in hits(api, query="where do foxes sleep?", min_score=bound)] == [
        hit["id"] for hit in found[:3]
    ]
    assert hits(api, query="where do foxes sleep?", min_score=1.0) == []


def test_vectors_of_hits_give_their_scores(api: httpx.Client) -> None:
    query = ok(api.post("/v1/embed", json={"inputs": ["foxes"], "input_type": "query"}))["embeddings"][0]
    for hit in hits(api, query="foxes", include=["vector"]):
        assert float(np.dot(query, hit["vector"])) == pytest.approx(hit["score"], abs=1e-4)
        assert "metadata" not in hit


def test_documents_find_what_is_like_them_and_not_themselves(api: httpx.Client) -> None:
    assert ids(api, like=["fox"], top_k=1) == ["fox again"]
    assert set(ids(api, like=["fox"], top_k=6)) == set(TEXTS) - {"fox"}
    assert "owl" not in ids(api, like=["fox", "owl"], top_k=6)
    near_owl = ids(api, like=[{"id": "fox", "weight": 0.1}, {"id": "owl", "weight": 1}], top_k=6)
    assert set(near_owl) == set(TEXTS) - {"fox", "owl"}
    less = ids(api, like=["vixen"], unlike=["fox"], top_k=6)
    assert set(less) == set(TEXTS) - {"vixen", "fox"}
    assert less[-1] == "fox again"
    assert ids(api, like=["fox"], filters={"short": False}, top_k=1) == ["vixen"]


def test_documents_that_are_not_there_or_cancel_each_other_are_named(api: httpx.Client) -> None:
    def error(**body: Any) -> tuple[int, str, str]:
        answer = api.post("/v1/search", json={"namespace": SPACE, **body})
        found = answer.json()["error"]
        return answer.status_code, found["code"], found["field"]

    assert error(like=["fox", "none"]) == (404, "unknown_document", "like[1]")
    assert error(like=["fox"], unlike=["fox"]) == (400, "zero_vector", "unlike[0]")


def test_hits_that_differ_leave_out_what_says_the_same(api: httpx.Client) -> None:
    nearest = ids(api, query="dens of foxes", top_k=2)
    assert set(nearest) == {"fox", "fox again"}
    shown = hits(api, query="dens of foxes", top_k=2, mmr=0.5)
    assert all("vector" not in hit for hit in shown), "they are read to compare hits, and were not asked for"
    differing = [hit["id"] for hit in shown]
    assert differing[0] == nearest[0]
    assert differing[1] not in nearest
    assert ids(api, query="dens of foxes", top_k=6, mmr=1.0) == ids(api, query="dens of foxes", top_k=6)


def test_a_batch_answers_each_search_as_it_would_be_answered_alone(api: httpx.Client) -> None:
    searches: list[dict[str, Any]] = [
        {"namespace": SPACE, "query": text, "top_k": count} for count, text in enumerate(TEXTS.values(), 1)
    ]
    searches += [
        {"namespace": SPACE, "like": ["fox"], "top_k": 3},
        {"namespace": SPACE, "query": "dens", "filters": {"short": True}, "exact": True},
        {"namespace": SPACE, "query": "dens", "include": ["text", "vector"], "mmr": 0.6, "top_k": 2},
    ]
    searches *= 6
    until_cached(api, [*TEXTS.values(), "dens"], input_type="query")
    answer = ok(api.post("/v1/search/batch", json={"searches": searches}))
    assert len(answer["results"]) == len(searches) == 54
    for search, result in zip(searches, answer["results"], strict=True):
        assert result["hits"] == ok(api.post("/v1/search", json=search))["hits"]
        assert result["partial"] is False


def test_what_is_wrong_with_one_search_of_a_batch_is_its_own(api: httpx.Client) -> None:
    good = {"namespace": SPACE, "query": "foxes"}
    bad: list[Any] = [
        {**good, "top_k": 0},
        {**good, "namespace": "no-such"},
        {**good, "query": " "},
        {**good, "like": ["fox"]},
        {"namespace": SPACE, "like": ["none"]},
        {"namespace": SPACE, "vector": [1.0]},
        {**good, "model_version": 99},
        "foxes",
        {**good, "min_token": "forged"},
    ]
    results = ok(api.post("/v1/search/batch", json={"searches": [good, *bad, good]}))["results"]
    assert results[0]["hits"] == results[-1]["hits"]
    assert [result["error"]["code"] for result in results[1:-1]] == [
        "invalid_value", "unknown_namespace", "empty_input", "invalid_value", "unknown_document", "dimension_mismatch",
        "unknown_model", "invalid_type", "invalid_token",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "code"),
    [({}, "missing_field"), ({"searches": []}, "invalid_value"), ({"searches": [{}] * 65}, "too_many_items"),
     ({"searches": {}}, "invalid_type"), ({"queries": []}, "unknown_field")],
)  # fmt: skip
def test_a_body_that_is_no_list_of_searches_is_refused(api: httpx.Client, body: dict[str, Any], code: str) -> None:
    assert api.post("/v1/search/batch", json=body).json()["error"]["code"] == code
