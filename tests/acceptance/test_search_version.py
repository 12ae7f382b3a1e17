"""A search pinned to a version of the model meets that version's index, and no other."""

import time
from typing import Any

import httpx
import pytest

from tests.acceptance.conftest import ok
from tests.acceptance.other_versions import add_versions, register_hashing
from tests.conftest import Service

MODEL, SPACE = "two-versions", "two-versions"
OLD, NEW = 1, 2
DIMENSIONS = {OLD: 16, NEW: 24}
TEXTS = {"fox": "foxes sleep in dens", "owl": "owls hunt mice at night", "loan": "banks raise interest rates"}
STATES = {OLD: "active", NEW: "shadow", 3: "draft", 4: "backfilling", 5: "standby", 6: "retired"}


@pytest.fixture(scope="module", autouse=True)
def versions(api: httpx.Client, service: Service) -> None:
    """One version in each status. Active and shadow have all documents; one more is known to the old version alone."""
    register_hashing(service, MODEL, DIMENSIONS[OLD])
    put(api, "old-only", "foxes of long ago", model_id=MODEL)
    others = {version: (DIMENSIONS.get(version, 8), status) for version, status in STATES.items() if version != OLD}
    add_versions(service, MODEL, others)
    for doc_id, text in TEXTS.items():
        put(api, doc_id, text)
    deadline = time.monotonic() + 60
    while len(search(api, NEW)["hits"]) < len(TEXTS):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def put(api: httpx.Client, doc_id: str, text: str, **more: Any) -> dict[str, Any]:
    body = {"id": doc_id, "text": text, "namespace": SPACE, "metadata": {"name": doc_id}, "wait": "searchable", **more}
    return ok(api.post("/v1/upsert", json=body))


def post(api: httpx.Client, version: int | None, **more: Any) -> httpx.Response:
    query = {} if "vector" in more else {"query": TEXTS["fox"]}
    return api.post("/v1/search", json={**query, "namespace": SPACE, "model_version": version, **more})


def search(api: httpx.Client, version: int | None, **more: Any) -> dict[str, Any]:
    return ok(post(api, version, **more))


def ids(answer: dict[str, Any]) -> set[str]:
    return {hit["id"] for hit in answer["hits"]}


def error(response: httpx.Response) -> tuple[int, str, str]:
    told = response.json()["error"]
    return response.status_code, told["code"], told["field"]


def test_each_version_finds_what_its_own_index_has_with_its_own_vectors(api: httpx.Client) -> None:
    old, new = search(api, OLD), search(api, NEW)
    assert (ids(old), ids(new)) == ({*TEXTS, "old-only"}, set(TEXTS))
    assert (old["model_version"], new["model_version"]) == (OLD, NEW)
    for answer in (old, new):
        assert (answer["hits"][0]["id"], answer["hits"][0]["score"]) == ("fox", pytest.approx(1, abs=1e-3))
    scores = [{hit["id"]: hit["score"] for hit in answer["hits"]} for answer in (old, new)]
    assert scores[0]["owl"] != scores[1]["owl"]


def test_texts_are_embedded_by_the_version_that_is_asked_for(api: httpx.Client) -> None:
    body = {"inputs": ["foxes"], "model_id": MODEL}
    for version in (OLD, NEW):
        answer = ok(api.post("/v1/embed", json={**body, "model_version": version}))
        assert (answer["model_version"], len(answer["embeddings"][0])) == (version, DIMENSIONS[version])
    assert ok(api.post("/v1/embed", json=body))["model_version"] == OLD
    refused = api.post("/v1/embed", json={**body, "model_version": 3})
    assert error(refused) == (409, "model_not_active", "model_version")
    openai = api.post("/v1/embeddings", json={"input": "foxes", "model": f"{MODEL}@{NEW}"})
    assert len(ok(openai)["data"][0]["embedding"]) == DIMENSIONS[NEW]


def test_without_a_version_the_active_one_answers(api: httpx.Client) -> None:
    for answer in (search(api, None), ok(api.post("/v1/search", json={"query": "foxes", "namespace": SPACE}))):
        assert (answer["model_version"], ids(answer)) == (OLD, {*TEXTS, "old-only"})


def test_the_vector_of_a_query_has_the_dimension_of_the_version(api: httpx.Client) -> None:
    for version, other in ((OLD, NEW), (NEW, OLD)):
        answer = search(api, version, vector=[1.0] * DIMENSIONS[version])
        assert answer["model_version"] == version
        wrong = post(api, version, vector=[1.0] * DIMENSIONS[other])
        assert error(wrong) == (400, "dimension_mismatch", "vector")
        assert f"the model has {DIMENSIONS[version]}" in wrong.json()["error"]["message"]


def test_filters_and_texts_come_from_the_documents_of_the_version(api: httpx.Client) -> None:
    assert ids(search(api, NEW, filters={"name": {"in": ["owl", "old-only"]}})) == {"owl"}
    assert search(api, NEW, include=["text"], top_k=1)["hits"][0]["text"] == TEXTS["fox"]


def test_a_position_of_another_version_is_refused(api: httpx.Client) -> None:
    token = put(api, "fox", TEXTS["fox"])["token"]
    assert search(api, OLD, min_token=token)["model_version"] == OLD
    assert error(post(api, NEW, min_token=token)) == (409, "token_expired", "min_token")


def test_a_version_that_the_model_does_not_have_is_unknown(api: httpx.Client) -> None:
    answer = post(api, 99)
    assert error(answer) == (404, "unknown_model", "model_version")
    assert answer.json()["error"]["message"] == f"model {MODEL!r} has no version 99"


@pytest.mark.parametrize("version", [3, 4, 6])
def test_a_version_without_a_whole_index_is_refused_by_its_status(api: httpx.Client, version: int) -> None:
    answer = post(api, version)
    assert error(answer) == (409, "model_not_active", "model_version")
    told = answer.json()["error"]["message"]
    assert f"version {version} of model {MODEL!r} is {STATES[version]}; " in told
    assert told.endswith("a version that is shadow, active or standby")


def test_a_version_that_is_kept_for_rollback_answers(api: httpx.Client) -> None:
    assert ids(search(api, 5)) <= set(TEXTS)
    assert search(api, 5)["model_version"] == 5
