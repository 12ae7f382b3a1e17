"""A bulk load beside a running instance: found by its searches, and by no other way told apart from upserts."""

import json
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.acceptance.conftest import ok
from tests.conftest import EXTERNAL_DIMENSION, Service

TEXTS = [f"Note {number}: a fox and {number % 7} hens, {'very ' * (number % 40)}quiet." for number in range(60)]
ROWS, QUERIES, TOP_K, SPACE = 3_000, 30, 10, "bulk-load"
VECTORS = np.random.default_rng(7).standard_normal((ROWS, EXTERNAL_DIMENSION)).astype(np.float32)


@pytest.fixture(scope="module")
def loaded(service: Service, external_model: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("bulk") / "rows.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for number, vector in enumerate(VECTORS.tolist()):
            metadata = {"odd": number % 2 == 1}
            row = {"id": f"row/{number}", "vector": vector, "text": f"text {number}", "metadata": metadata}
            file.write(f"{json.dumps(row)}\n")
    return service.manage("bulk_ingest", "run", str(path), "--namespace", SPACE, "--model-id", external_model)


def _search(api: httpx.Client, query: list[float], **options: object) -> list[str]:
    body = {"namespace": SPACE, "vector": query, "top_k": TOP_K, **options}
    return [hit["id"] for hit in ok(api.post("/v1/search", json=body))["hits"]]


def test_searches_find_the_nearest_of_what_was_loaded(api: httpx.Client, loaded: str) -> None:
    assert "done" in loaded
    unit = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)
    queries = np.random.default_rng(8).standard_normal((QUERIES, EXTERNAL_DIMENSION))
    found = 0
    for query in queries:
        expected = {f"row/{row}" for row in np.argsort(-(unit @ query))[:TOP_K]}
        found += len(expected.intersection(_search(api, query.tolist())))
    assert found / (QUERIES * TOP_K) >= 0.97


def test_filters_pass_what_was_loaded(api: httpx.Client, loaded: str) -> None:
    hits = _search(api, VECTORS[4].tolist(), filters={"odd": True})
    assert len(hits) == TOP_K
    assert all(int(doc_id.removeprefix("row/")) % 2 for doc_id in hits)


def test_a_loaded_document_is_read_changed_and_deleted_like_any_other(api: httpx.Client, loaded: str) -> None:
    document = ok(api.get("/v1/vectors/row/5", params={"namespace": SPACE}))
    assert (document["text"], document["state"], document["revision"]) == ("text 5", "indexed", 1)
    same = {"id": "row/5", "vector": VECTORS[5].tolist(), "text": "text 5", "metadata": {"odd": True}}
    answer = ok(api.post("/v1/upsert", json={"namespace": SPACE, **same, "wait": "searchable"}))
    assert answer["results"] == [{"id": "row/5", "revision": 1, "state": "searchable", "unchanged": True}]
    ok(api.delete("/v1/vectors/row/5", params={"namespace": SPACE}))
    assert "row/5" not in _search(api, VECTORS[5].tolist())


def test_texts_of_a_job_have_the_vectors_of_embed(api: httpx.Client, service: Service, tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    lines = [json.dumps({"id": f"text/{number}", "text": text}) for number, text in enumerate(TEXTS)]
    path.write_text("\n".join(lines), encoding="utf-8")
    assert "done" in service.manage("bulk_ingest", "run", str(path), "--namespace", "bulk-texts")
    embedded = ok(api.post("/v1/embed", json={"inputs": TEXTS, "input_type": "document"}))["embeddings"]
    for number, wanted in enumerate(np.array(embedded)):
        url = f"/v1/vectors/text/{number}"
        found = ok(api.get(url, params={"namespace": "bulk-texts", "include": "vector"}))["vector"]
        assert np.dot(wanted, found) / np.linalg.norm(wanted) >= 0.9999
    body = {"namespace": "bulk-texts", "query": TEXTS[7], "top_k": 1}
    assert [hit["id"] for hit in ok(api.post("/v1/search", json=body))["hits"]] == ["text/7"]
