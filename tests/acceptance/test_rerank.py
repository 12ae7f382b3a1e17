"""Texts ranked by a cross-encoder, by itself and within a search."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.acceptance.conftest import ok
from tests.conftest import Service
from tests.cross_encoder import QUERIES, write_cross_encoder

RERANKER = "org/reranker"
PATIENCE_SECONDS = 180.0
QUERY = "where do foxes sleep?"
TEXTS = list(QUERIES.values())


@pytest.fixture(scope="module")
def ranking(small: Service) -> Iterator[httpx.Client]:
    """A client of an instance with one cross-encoder, and a namespace of the texts."""
    write_cross_encoder(small.var / "models" / "reranker")
    with httpx.Client(base_url=small.url, timeout=60) as client:
        version = f"/v1/models/{RERANKER}/versions"
        client.post(version, json={"type": "cross-encoder", "artifact": "reranker"}).raise_for_status()
        give_up = time.monotonic() + PATIENCE_SECONDS
        while not (probe := ok(client.post(f"{version}/1/probe")))["passed"]:
            # The first one waits for the load, which a busy machine draws out.
            assert time.monotonic() < give_up, probe
        ok(client.post(f"{version}/1/switch"))
        documents = [{"id": str(place), "text": text} for place, text in enumerate(TEXTS)]
        body = {"namespace": "to-rank", "documents": documents, "wait": "searchable"}
        ok(client.post("/v1/upsert", json=body))
        yield client


def test_the_text_that_answers_comes_first(ranking: httpx.Client) -> None:
    for query, answer in QUERIES.items():
        found = ok(ranking.post("/v1/rerank", json={"model": RERANKER, "query": query, "documents": TEXTS}))
        first, *others = found["results"]
        assert TEXTS[first["index"]] == answer
        assert first["relevance_score"] > 0.9
        assert all(one["relevance_score"] < 0.1 for one in others)
        assert (found["model_id"], found["model_version"], found["usage"]["inputs"]) == (RERANKER, 1, len(TEXTS))


def test_documents_may_be_objects_and_come_back(ranking: httpx.Client) -> None:
    body = {"query": QUERY, "documents": [{"text": text} for text in TEXTS], "top_n": 1, "return_documents": True}
    (one,) = ok(ranking.post("/v1/rerank", json=body))["results"]
    assert one["document"] == {"text": QUERIES[QUERY]}


def test_equal_texts_are_ranked_as_they_were_given(ranking: httpx.Client) -> None:
    answer = ok(ranking.post("/v1/rerank", json={"query": QUERY, "documents": [TEXTS[0]] * 3}))
    assert [one["index"] for one in answer["results"]] == [0, 1, 2]


def test_a_pair_that_is_too_long_is_cut_and_said_or_refused(ranking: httpx.Client) -> None:
    long = TEXTS[0] + " and so on" * 400
    answer = ok(ranking.post("/v1/rerank", json={"query": QUERY, "documents": ["short", long]}))
    assert {one["index"]: one["truncated"] for one in answer["results"]} == {0: False, 1: True}
    refused = ranking.post("/v1/rerank", json={"query": QUERY, "documents": ["short", long], "truncate": False})
    error = refused.json()["error"]
    assert (refused.status_code, error["code"], error["field"]) == (400, "too_many_tokens", "documents[1]")


def test_clients_of_text_embeddings_inference_are_answered(ranking: httpx.Client) -> None:
    body = {"query": QUERY, "texts": TEXTS}
    found = ranking.post("/rerank", json={**body, "return_text": True}).json()
    assert found[0]["text"] == QUERIES[QUERY]
    assert 0.9 < found[0]["score"] <= 1
    raw = ranking.post("/rerank", json={**body, "raw_scores": True}).json()
    assert raw[0]["score"] > 2
    assert "text" not in raw[0]
    refused = ranking.post("/rerank", json={"query": QUERY, "texts": []})
    assert (refused.status_code, refused.json()["error_type"]) == (400, "Validation")


def test_a_model_of_the_other_kind_is_refused(ranking: httpx.Client) -> None:
    def code(path: str, body: dict[str, Any]) -> str:
        return str(ranking.post(path, json=body).json()["error"]["code"])

    embedder = "all-MiniLM-L6-v2"
    assert code("/v1/rerank", {"model": embedder, "query": QUERY, "documents": TEXTS}) == "wrong_model_type"
    assert code("/v1/embed", {"model_id": RERANKER, "inputs": ["x"]}) == "wrong_model_type"
    assert code("/v1/embeddings", {"model": RERANKER, "input": "x"}) == "wrong_model_type"
    document = {"id": "a", "text": "x", "model_id": RERANKER, "namespace": "of-reranker"}
    assert code("/v1/upsert", document) == "wrong_model_type"
    assert ranking.put("/v1/namespaces/of-reranker", json={"model_id": RERANKER}).status_code == 400
    assert code("/v1/rerank", {"model": "no-such", "query": QUERY, "documents": TEXTS}) == "unknown_model"
    assert code("/v1/rerank", {"query": QUERY, "documents": ["x"] * 257}) == "too_many_items"
    assert code("/v1/rerank", {"query": " ", "documents": ["x"]}) == "empty_input"


def test_it_is_listed_as_what_it_is(ranking: httpx.Client) -> None:
    models = ok(ranking.get("/v1/models"))
    (listed,) = [one for one in models["models"] if one["model_id"] == RERANKER]
    assert (listed["type"], listed["dimension"], listed["status"]) == ("cross-encoder", 1, "active")
    assert RERANKER not in [one["id"] for one in models["data"]]


def test_a_search_is_ranked_once_more(ranking: httpx.Client) -> None:
    body = {"namespace": "to-rank", "query": QUERY, "exact": True}
    before = [hit["id"] for hit in ok(ranking.post("/v1/search", json=body))["hits"]]
    query = "how is bread made?"
    give_up = time.monotonic() + PATIENCE_SECONDS
    while (answer := ok(ranking.post("/v1/search", json={**body, "rerank": {"query": query}})))["partial"]:
        # The scores of one try are in the cache of the next.
        assert time.monotonic() < give_up, answer
    first = answer["hits"][0]
    assert TEXTS[int(first["id"])] == QUERIES[query]
    assert first["ranks"]["search"] == before.index(first["id"]) + 1
    assert first["score"] > 0.9
    assert "text" not in first
    assert answer["rerank"] == {
        "model_id": RERANKER, "model_version": 1, "reranked": len(TEXTS), "truncated": 0, "error": None
    }  # fmt: skip
    assert "rerank" in answer["timings_ms"]


def test_only_the_first_hits_are_ranked(ranking: httpx.Client) -> None:
    body = {"namespace": "to-rank", "query": QUERY, "exact": True, "top_k": 4}
    before = [hit["id"] for hit in ok(ranking.post("/v1/search", json=body))["hits"]]
    answer = ok(ranking.post("/v1/search", json={**body, "rerank": {"top": 1, "model": RERANKER}}))
    assert [hit["id"] for hit in answer["hits"]] == before
    assert answer["rerank"]["reranked"] in (0, 1)


def test_a_search_cannot_be_ranked_by_a_model_of_vectors(ranking: httpx.Client) -> None:
    body = {"namespace": "to-rank", "query": QUERY, "rerank": {"model": "all-MiniLM-L6-v2"}}
    error = ranking.post("/v1/search", json=body).json()["error"]
    assert (error["code"], error["field"]) == ("wrong_model_type", "rerank.model")
