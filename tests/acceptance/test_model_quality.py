"""A version judged before it answers: by searches of clients, by documents, by people, beside the active version."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.acceptance.conftest import ok
from tests.acceptance.other_versions import add_versions, register_hashing
from tests.conftest import Service

MODEL, SPACE = "judged-model", "judged-space"
OLD, NEW = 1, 2
ANIMALS = ("fox", "owl", "cat", "bear", "wolf", "hare", "crow", "newt", "mole", "toad", "swan", "lynx", "deer", "goat")
PLACES = ("in a den", "on a roof", "by a river", "under a tree")
DOCUMENTS = {
    f"{animal}/{place.split()[-1]}": f"The {animal} sleeps {place}. It eats at night."
    for animal in ANIMALS
    for place in PLACES
}
_MEASURE = """
import json, time
from dataclasses import asdict
from embeddings_app.models import ModelRegistry
from embeddings_app.services.quality.gate import gate_verdict
from embeddings_app.services.quality.refreshing import refresh_measurements, watch_version
versions = {{version.version: version for version in ModelRegistry.objects.filter(model_id={model!r})}}
refresh_measurements(versions[2], 20.0)
verdict = gate_verdict(versions[1], versions[2])
recall = watch_version(versions[1], time.monotonic() + 15.0)
versions[1].refresh_from_db()
print(json.dumps({{"verdict": asdict(verdict), "recall": recall, "auto_ef": versions[1].auto_ef}}))
"""


@pytest.fixture(scope="module", autouse=True)
def corpus(api: httpx.Client, service: Service) -> None:
    """Two versions with all documents, some searches of clients, and judgements."""
    register_hashing(service, MODEL, 256)
    put(api, "first", "The first document.", model_id=MODEL)
    add_versions(service, MODEL, {NEW: (128, "shadow")})
    documents = [{"id": doc_id, "text": text} for doc_id, text in DOCUMENTS.items()]
    ok(api.post("/v1/upsert", json={"documents": documents, "namespace": SPACE, "wait": "searchable"}))
    ok(api.post("/v1/upsert", json={"id": "first", "text": "First of all.", "namespace": SPACE, "wait": "searchable"}))
    deadline = time.monotonic() + 60
    while len(search(api, "all", model_version=NEW, top_k=100)["hits"]) <= len(DOCUMENTS):
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture(scope="module")
def database(service: Service) -> Iterator[psycopg.Connection[Any]]:
    url = json.loads((service.var / "instance.json").read_text())["environment"]["DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


def put(api: httpx.Client, doc_id: str, text: str, **more: Any) -> None:
    body = {"id": doc_id, "text": text, "namespace": SPACE, "wait": "searchable", **more}
    ok(api.post("/v1/upsert", json=body))


def search(api: httpx.Client, query: str, **more: Any) -> dict[str, Any]:
    return ok(api.post("/v1/search", json={"query": query, "namespace": SPACE, **more}))


def samples(database: psycopg.Connection[Any], text: str) -> list[Any]:
    """Of a query; those of vectors have no text."""
    kept = (
        "SELECT text, vector, top_k, ef_search, filter FROM search_sample WHERE model_id = %s AND text = %s ORDER BY id"
    )
    return database.execute(kept, [MODEL, text]).fetchall()


def search_until_kept(
    api: httpx.Client, database: psycopg.Connection[Any], text: str, asked: dict[str, Any]
) -> tuple[Any, ...]:
    """One search a second of the process can be kept, and other tests search too."""
    deadline = time.monotonic() + 60
    while not (found := samples(database, text)):
        assert time.monotonic() < deadline
        ok(api.post("/v1/search", json={"namespace": SPACE, **asked}))
        time.sleep(0.05)
    return tuple(found[0])


def test_searches_of_clients_become_samples(api: httpx.Client, database: psycopg.Connection[Any]) -> None:
    text = "where does the fox sleep?"
    found = search_until_kept(api, database, text, {"query": text, "top_k": 20, "ef_search": "auto"})
    assert found == (text, None, 20, None, "")
    found = search_until_kept(api, database, "", {"vector": [1.0] * 256, "filters": {"a": {"exists": False}}})
    assert (len(found[1]), found[3], found[4]) == (4 * 256, 100, '["c","a","exists",false]')


def test_searches_of_another_version_and_without_hits_are_not_kept(
    api: httpx.Client, database: psycopg.Connection[Any]
) -> None:
    for _ in range(20):
        search(api, "pinned", model_version=OLD)
        search(api, "filtered", filters={"no": "such"})
        time.sleep(0.1)
    assert samples(database, "pinned") == samples(database, "filtered") == []


def test_searches_of_a_namespace_that_keeps_no_texts_are_not_kept(
    api: httpx.Client, database: psycopg.Connection[Any]
) -> None:
    put(api, "secret", "A secret text.", namespace="judged-silent", model_id=MODEL)
    database.execute("UPDATE namespace SET store_text = false WHERE name = 'judged-silent'")
    time.sleep(1.1)  # the api knows the namespace for a second
    for _ in range(20):
        assert search(api, "a secret query", namespace="judged-silent")["hits"]
        time.sleep(0.1)
    assert samples(database, "a secret query") == []


def test_no_query_is_in_a_log(service: Service) -> None:
    logs = "".join(path.read_text(errors="replace") for path in (service.var / "logs").glob("*.log"))
    assert "where does the fox sleep" not in logs


def test_a_version_is_measured_and_judged_beside_the_active_one(service: Service, api: httpx.Client) -> None:
    told = json.loads(service.manage("shell", "-c", _MEASURE.format(model=MODEL)).splitlines()[-1])
    verdict = told["verdict"]
    figures = verdict["figures"]
    # On a busy machine the time may end before the queries do.
    assert 0 < figures["searches"] <= figures["queries"] == 50
    # One search of a client is by text; a vector says nothing to the other version.
    assert 45 <= figures["synthetic"] <= 49
    assert figures["recall"] == 1.0
    assert 0.3 < figures["overlap"] < 1.0
    assert 0 < figures["latency_p50_ms"] <= figures["latency_p99_ms"]
    assert figures["slowdown"] > 0
    assert "were made from the first sentences of documents" in verdict["notes"][0]
    assert verdict["passed"] == (verdict["reasons"] == [])
    assert (told["recall"], told["auto_ef"]) == (1.0, 16)
    time.sleep(1.1)
    assert search(api, "a fox", ef_search="auto")["ef_search"] == 16
    assert f'search_recall{{model="{MODEL}",version="{OLD}"}} 1.0' in _metrics(api)


def _metrics(api: httpx.Client) -> str:
    deadline = time.monotonic() + 60
    while f'search_recall{{model="{MODEL}"' not in (text := api.get("/metrics").text):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    return text


def test_the_breadth_that_was_used_is_told(api: httpx.Client) -> None:
    assert search(api, "a fox")["ef_search"] == 100
    assert search(api, "a fox", ef_search=7)["ef_search"] == 7
    # Nothing was measured of it yet.
    assert search(api, "a fox", ef_search="auto", model_version=NEW)["ef_search"] == 100


def test_versions_are_scored_by_judgements(service: Service, tmp_path: Path) -> None:
    queries, qrels = tmp_path / "queries.jsonl", tmp_path / "qrels.tsv"
    # The model gives the same vector to the same text, and to no other.
    lines = [json.dumps({"_id": f"q-{doc_id}", "text": text}) for doc_id, text in DOCUMENTS.items()]
    queries.write_text("\n".join([*lines, json.dumps({"_id": "unjudged", "text": "x"})]))
    qrels.write_text("query-id\tcorpus-id\tscore\n" + "".join(f"q-{doc_id}\t{doc_id}\t1\n" for doc_id in DOCUMENTS))
    command = ("judge", "--namespace", SPACE)
    said = service.manage(*command, "--queries", str(queries), "--qrels", str(qrels), "--model-version", str(OLD))
    count = len(DOCUMENTS)
    assert f"{count} queries with {count} judgements of {count} documents" in said
    assert "left out: 1 query without a judgement" in said
    assert said.splitlines()[-1] == f"{MODEL} v{OLD}: nDCG@10 1.0000 over {count} queries"
    measured = service.manage("measure", MODEL, str(NEW), "--seconds", "20")
    assert "nDCG@10 of the other version" in measured
    assert f"{MODEL} v{NEW} " in measured.splitlines()[-1]
