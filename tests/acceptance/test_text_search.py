"""Searches by words, by meaning and by both, over HTTP."""

from typing import Any

import httpx
import pytest

from tests.acceptance.conftest import ok, until_cached

SPACE = "words-and-meaning"
TEXTS = {
    "fox": "Foxes live in dens and hunt at night.",
    "owl": "Owls hunt at night and live in trees.",
    "error": "The heater said ERR-1234 and went dark.",
    "bread": "Bread is baked from flour, water and salt.",
    "sleep": "Animals rest during the day in holes under the ground.",
}


@pytest.fixture(scope="module", autouse=True)
def documents(api: httpx.Client) -> None:
    made = api.put(f"/v1/namespaces/{SPACE}", json={"text_search": "english"})
    assert made.json()["text_search"] == "english", made.text
    documents = [{"id": doc_id, "text": text, "metadata": {"dens": "dens" in text}} for doc_id, text in TEXTS.items()]
    ok(api.post("/v1/upsert", json={"namespace": SPACE, "documents": documents, "wait": "searchable"}))


def search(api: httpx.Client, **body: Any) -> dict[str, Any]:
    return ok(api.post("/v1/search", json={"namespace": SPACE, **body}))


def ids(answer: dict[str, Any]) -> list[str]:
    return [hit["id"] for hit in answer["hits"]]


def test_words_are_found_that_a_model_does_not_know(api: httpx.Client) -> None:
    answer = search(api, mode="text", text_query={"exact": ["err-1234"]}, include=["text"])
    assert ids(answer) == ["error"]
    assert answer["hits"][0]["text"] == TEXTS["error"]
    assert answer["shards"] == {"total": 0, "ok": 0, "failed": []}
    assert answer["text"]["language"] == "english"
    assert answer["text"]["incomplete"] is None


def test_both_together_find_what_each_finds_and_say_where(api: httpx.Client) -> None:
    answer = search(api, mode="hybrid", query="where do foxes sleep?", top_k=5)
    assert set(ids(answer)) == set(TEXTS)
    first = answer["hits"][0]
    assert first["id"] == "fox"
    assert first["ranks"] == {"vector": 1, "text": 1}
    assert first["score"] == 1.0
    by_vector_alone = next(hit for hit in answer["hits"] if hit["id"] == "bread")
    assert list(by_vector_alone["ranks"]) == ["vector"]
    assert [hit["score"] for hit in answer["hits"]] == sorted((hit["score"] for hit in answer["hits"]), reverse=True)
    assert {"words", "shards", "embed"} <= answer["timings_ms"].keys()


def test_weights_move_the_balance(api: httpx.Client) -> None:
    only_text = search(api, mode="hybrid", query="ERR-1234", weights={"vector": 0})
    assert ids(only_text)[0] == "error"
    vector = search(api, query="night", top_k=5)
    only_vector = search(api, mode="hybrid", query="night", top_k=5, weights={"text": 0})
    assert ids(only_vector) == ids(vector)


def test_meaning_and_words_may_be_asked_for_apart(api: httpx.Client) -> None:
    answer = search(api, mode="hybrid", like=["fox"], text_query="heater")
    assert "fox" not in ids(answer)
    assert answer["hits"][0]["ranks"].keys() <= {"vector", "text"}
    assert "error" in ids(answer)


def test_filters_hold_in_both_halves(api: httpx.Client) -> None:
    for mode in ("text", "hybrid"):
        answer = search(api, mode=mode, query="foxes hunt at night in trees", filters={"dens": True})
        assert ids(answer) == ["fox"]


def test_the_least_score_is_one_of_meaning(api: httpx.Client) -> None:
    answer = search(api, mode="hybrid", query="foxes", min_score=0.99)
    assert ids(answer) == ["fox"]
    assert answer["hits"][0]["ranks"] == {"text": 1}


def test_words_are_marked_in_pieces_of_the_text(api: httpx.Client) -> None:
    answer = search(api, mode="text", query="fox hunting", highlight=True)
    (piece,) = answer["hits"][0]["highlights"]
    assert [piece["text"][begin:end] for begin, end in piece["marks"]] == ["Foxes", "hunt"]


def test_a_page_goes_on_where_the_one_before_ended(api: httpx.Client) -> None:
    whole = ids(search(api, mode="hybrid", query="animals at night", top_k=4))
    assert ids(search(api, mode="hybrid", query="animals at night", top_k=2, offset=2)) == whole[2:]


def test_a_batch_mixes_modes_and_answers_each_as_alone(api: httpx.Client) -> None:
    searches: list[dict[str, Any]] = [
        {"namespace": SPACE, "query": "foxes at night", "mode": mode, "top_k": 3}
        for mode in ("vector", "text", "hybrid")
    ]
    searches.append({"namespace": SPACE, "mode": "text", "text_query": {"prefixes": ["heat"]}, "highlight": True})
    until_cached(api, ["foxes at night"], input_type="query")
    results = ok(api.post("/v1/search/batch", json={"searches": searches}))["results"]
    for asked, result in zip(searches, results, strict=True):
        alone = ok(api.post("/v1/search", json=asked))
        assert result["hits"] == alone["hits"]
        assert result.get("text") == alone.get("text")


def test_a_deleted_document_is_found_by_neither(api: httpx.Client) -> None:
    gone = {"id": "gone", "text": "A badger lives in a sett."}
    ok(api.post("/v1/upsert", json={"namespace": SPACE, "documents": [gone], "wait": "searchable"}))
    assert "gone" in ids(search(api, mode="hybrid", query="badger sett"))
    ok(api.delete(f"/v1/vectors/gone?namespace={SPACE}"))
    for mode in ("text", "hybrid"):
        assert "gone" not in ids(search(api, mode=mode, query="badger sett"))


def test_vectors_of_clients_and_words_of_texts_go_together(api: httpx.Client, external_model: str) -> None:
    name = "words-external"
    api.put(f"/v1/namespaces/{name}", json={"model_id": external_model, "text_search": "simple"})
    vectors = {"a": [1.0, *[0.0] * 7], "b": [0.0, 1.0, *[0.0] * 6]}
    texts = {"a": "red fox", "b": "brown bear"}
    documents = [{"id": one, "text": texts[one], "vector": vectors[one]} for one in vectors]
    ok(api.post("/v1/upsert", json={"namespace": name, "documents": documents, "wait": "searchable"}))
    body = {"namespace": name, "mode": "hybrid", "vector": vectors["a"], "text_query": "bear", "include": ["vector"]}
    answer = ok(api.post("/v1/search", json=body))
    assert {hit["id"]: hit["ranks"] for hit in answer["hits"]} == {"a": {"vector": 1}, "b": {"vector": 2, "text": 1}}
    assert [hit["vector"] for hit in answer["hits"]] == [vectors["b"], vectors["a"]]


def test_text_search_can_be_switched_on_later_and_off_again(api: httpx.Client) -> None:
    name = "words-later"
    ok(api.post("/v1/upsert", json={"namespace": name, "documents": [{"id": "1", "text": "a red fox"}]}))
    asked = {"namespace": name, "mode": "text", "query": "fox"}
    refused = api.post("/v1/search", json=asked)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "text_search_off")
    assert ok(api.patch(f"/v1/namespaces/{name}", json={"text_search": "simple"}))["text_search"] == "simple"
    status = ok(api.get(f"/v1/namespaces/{name}"))["text_search"]
    assert (status["language"], status["documents"] <= 1) == ("simple", True)
    assert api.put(f"/v1/namespaces/{name}", json={"text_search": "english"}).status_code == 409
    assert ok(api.put(f"/v1/namespaces/{name}", json={}))["text_search"] == "simple"
    assert ok(api.patch(f"/v1/namespaces/{name}", json={"text_search": "off"}))["text_search"] == "off"
