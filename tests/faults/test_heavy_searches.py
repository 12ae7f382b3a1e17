"""Searches that read very many numbers beside light ones: they wait for each other, and light ones for none of them."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import httpx
import numpy as np
import pytest

from embeddings_app.services.search.heavy_line import MOST_IN_LINE
from tests.conftest import Service, once
from tests.faults.recovery import LATE, in_some_attempt, in_time, whole_answer
from tests.faults.roles import frozen
from tests.faults.searchers import Searchers

MODEL, DIMENSION = "external-4096", 4_096
NAMESPACE, SMALL = "heavy", "beside-heavy"
DOCUMENTS, FEW, AT_ONCE = 4_000, 20, 200
NODES = ("node-s0-r0", "node-s0-r1", "node-s1-r0", "node-s1-r1")
LIGHT_CLIENTS, HEAVY_CLIENTS = 4, 4
VECTORS = np.random.default_rng(0).integers(0, 10, (DOCUMENTS, DIMENSION))


def _search(namespace: str, **options: Any) -> dict[str, Any]:
    return {"vector": VECTORS[0].tolist(), "namespace": namespace, "top_k": 10, "ef_search": 16, **options}


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[httpx.Client]:
    options = ("--model-id", MODEL, "--type", "external", "--dimension", str(DIMENSION))
    once("external-4096", lambda: service.manage("register_model", *options, "--activate"))
    with httpx.Client(base_url=service.url, timeout=60) as client:
        for namespace, count in ((NAMESPACE, DOCUMENTS), (SMALL, FEW)):
            for start in range(0, count, AT_ONCE):
                # An api process knows of a new model after a second.
                _until(partial(_is_written, client, namespace, range(start, min(start + AT_ONCE, count))))
        yield client


def _is_written(client: httpx.Client, namespace: str, rows: range) -> bool:
    documents = [{"id": f"d{row}", "vector": VECTORS[row].tolist(), "metadata": {"n": row}} for row in rows]
    body = {"documents": documents, "namespace": namespace, "model_id": MODEL, "wait": "searchable"}
    return client.post("/v1/upsert", json=body).status_code == 200


def _metric(client: httpx.Client, name: str) -> float:
    lines = client.get("/metrics").text.splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _is_complete(client: httpx.Client, body: dict[str, Any]) -> bool:
    answer = client.post("/v1/search", json=body)
    return answer.status_code == 200 and not answer.json()["partial"]


def _heavy_messages(client: httpx.Client) -> float:
    return _metric(client, 'node_search_seconds_count{lane="heavy"}')


def test_an_exact_search_of_much_is_heavy_and_finds_the_nearest(client: httpx.Client) -> None:
    before = _heavy_messages(client)
    hits = whole_answer(client, _search(NAMESPACE, exact=True))["hits"]
    unit = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)
    nearest = np.argsort(-(unit @ unit[0]))[:10]
    assert [hit["id"] for hit in hits] == [f"d{row}" for row in nearest]
    # More where a message was overdue, and sent again.
    assert _heavy_messages(client) >= before + 2


@pytest.mark.parametrize("options", [{}, {"filters": {"n": 5}}, {"filters": {"n": 5}, "exact": True}])
def test_a_search_that_reads_little_of_it_is_light(client: httpx.Client, options: dict[str, Any]) -> None:
    before = _heavy_messages(client)
    answer = whole_answer(client, _search(NAMESPACE, **options))
    assert answer["shards"]["ok"] == 2
    assert len(answer["hits"]) == (1 if options else 10)
    assert _heavy_messages(client) == before


def test_what_a_node_finds_to_be_heavy_is_searched_on_the_other_lane(client: httpx.Client) -> None:
    handed_back, before = _metric(client, 'node_queries_total{outcome="heavy"}'), _heavy_messages(client)
    most = {"n": {"gte": 10}}
    hits = whole_answer(client, _search(NAMESPACE, exact=True, filters=most))["hits"]
    assert len(hits) == 10
    assert all(hit["metadata"]["n"] >= 10 for hit in hits)
    assert _metric(client, 'node_queries_total{outcome="heavy"}') >= handed_back + 2
    assert _heavy_messages(client) >= before + 2


@in_some_attempt
def test_light_searches_go_on_beside_a_stream_of_heavy_ones(service: Service, client: httpx.Client) -> None:
    before = _heavy_messages(client)
    light = Searchers(service.url, _search(SMALL), LIGHT_CLIENTS)
    heavy = Searchers(service.url, _search(NAMESPACE, exact=True), HEAVY_CLIENTS)
    _until(lambda: _heavy_messages(client) > before + 100 and len(light.since(0)) > 20)
    answers, of_heavy = light.stop(), heavy.stop()
    assert {answer.code for answer in (*answers, *of_heavy)} <= {"", *LATE}
    whole = [answer for answer in answers if answer.status == 200 and not answer.partial]
    assert len(whole) > len(answers) / 2
    assert {frozenset(answer.ids) for answer in whole} == {frozenset(whole[0].ids)}
    in_time(len(whole) == len(answers), Counter((answer.code, answer.partial) for answer in answers))
    in_time({answer.status for answer in of_heavy} <= {200, 429})
    assert _metric(client, "api_open_circuits") == 0, "every light search was answered by all shards"


@in_some_attempt
def test_heavy_searches_that_nobody_answers_are_refused_beyond_a_few_and_open_no_circuit(
    service: Service, client: httpx.Client
) -> None:
    body, refused = _search(NAMESPACE, exact=True), _metric(client, "api_heavy_searches_refused_total")
    open_before = _metric(client, "api_open_circuits")

    def search(_: int) -> httpx.Response:
        return httpx.post(f"{service.url}/v1/search", json=body, timeout=30)

    with ThreadPoolExecutor(MOST_IN_LINE + 4) as pool, frozen(service, *NODES):
        answers = list(pool.map(search, range(MOST_IN_LINE + 4)))
    late = [answer for answer in answers if answer.status_code == 503]
    full = [answer for answer in answers if answer.status_code == 429]
    assert len(late) + len(full) == MOST_IN_LINE + 4
    assert {answer.json()["error"]["code"] for answer in full} <= {"overloaded"}
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in full)
    assert _metric(client, "api_heavy_searches_refused_total") == refused + len(full)
    assert _metric(client, "api_open_circuits") <= open_before
    codes = {answer.json()["error"]["code"] for answer in late}
    assert codes <= LATE
    in_time(codes == {"too_slow"}, codes)
    in_time(bool(full), "they came one after the other")
    _until(lambda: _is_complete(client, _search(SMALL)) and _is_complete(client, body))
