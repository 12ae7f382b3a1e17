"""One request can be followed through every role: by its id in their logs, and as one trace.

The instance is small, logs everything as JSON and sends its spans to a collector in this process.
"""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.acceptance.collector import Collector, Span
from tests.acceptance.conftest import ok
from tests.conftest import Service

PATIENCE_SECONDS = 60.0
LINE_FIELDS = {"time", "level", "logger", "message", "request", "role"}
SECRET = "unmistakable"


@dataclass(frozen=True, slots=True)
class Watched:
    client: httpx.Client
    collector: Collector
    var: Path

    def lines(self, role: str) -> list[dict[str, str]]:
        """The log of a role; every line must be an object with all fields."""
        text = (self.var / "logs" / f"{role}.log").read_text(encoding="utf-8")
        # What stands behind the last line break is being written.
        lines = [json.loads(line) for line in text.rpartition("\n")[0].splitlines() if line.startswith("{")]
        assert all(set(line) >= LINE_FIELDS and line["role"] == role for line in lines)
        return lines

    def said(self, role: str, request: str, words: str) -> bool:
        return any(request in line["request"].split(",") and words in line["message"] for line in self.lines(role))


@pytest.fixture(scope="module")
def watched(small: Service, spans: Collector) -> Iterator[Watched]:
    with httpx.Client(base_url=small.url, timeout=30.0) as client:
        body = {"id": "first", "text": f"{SECRET} document", "wait": "searchable"}
        assert client.post("/v1/upsert", json=body, timeout=30).status_code == 200
        yield Watched(client, spans, small.var)


def eventually(holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < give_up, "it did not happen in time"
        time.sleep(0.1)


def new_id() -> str:
    return f"test-{uuid.uuid4().hex}"


def test_a_search_is_found_by_its_id_in_the_logs_of_all_who_served_it(watched: Watched) -> None:
    request = new_id()
    body = {"query": f"{SECRET} {request}"}
    ok(watched.client.post("/v1/search", json=body, headers={"X-Request-Id": request}))
    eventually(lambda: watched.said("api", request, "answered POST /v1/search with 200"))
    eventually(lambda: watched.said("embedder-0", request, "answered a batch of 1 texts"))
    eventually(lambda: watched.said("node-s0-r0", request, "answered 1 queries"))


def test_an_upsert_is_found_by_its_id_in_the_logs_of_indexer_and_embedder(watched: Watched) -> None:
    request = new_id()
    body = {"id": "followed", "text": f"{SECRET} {request}", "wait": "indexed"}
    ok(watched.client.post("/v1/upsert", json=body, headers={"X-Request-Id": request}, timeout=30))
    eventually(lambda: watched.said("api", request, "answered POST /v1/upsert"))
    eventually(lambda: watched.said("indexer", request, "embedded 1 of 1 texts"))
    eventually(lambda: watched.said("embedder-0", request, "answered a batch of 1 texts"))


def test_a_refused_request_is_found_by_its_id(watched: Watched) -> None:
    request = new_id()
    answer = watched.client.post("/v1/search", json={"query": 5}, headers={"X-Request-Id": request})
    assert (answer.status_code, answer.headers["X-Request-Id"]) == (400, request)
    eventually(lambda: watched.said("api", request, "with 400"))


def test_a_search_by_text_is_one_trace_through_api_embedder_and_node(watched: Watched) -> None:
    trace, parent = uuid.uuid4().hex, "00f067aa0ba902b7"
    body = {"query": f"{SECRET} {trace}"}
    headers = {"traceparent": f"00-{trace}-{parent}-01"}
    ok(watched.client.post("/v1/search", json=body, headers=headers))
    eventually(lambda: {span.service for span in watched.collector.of(trace)} == {"api", "embedder", "node"})
    eventually(lambda: any(span.name == "POST /v1/search" for span in watched.collector.of(trace)))
    spans = {(span.service, span.name): span for span in watched.collector.of(trace)}
    assert len(spans) == len(watched.collector.of(trace))

    def path(span: Span) -> list[str]:
        above = [other for other in spans.values() if other.own == span.parent]
        return [*path(above[0]), span.name] if above else [span.name]

    root = spans["api", "POST /v1/search"]
    assert root.parent == parent
    assert root.attributes["http.route"] == 'string_value: "/v1/search"\n'
    paths = {(span.service, *path(span)) for span in spans.values()}
    top = "POST /v1/search"
    assert paths == {
        ("api", top),
        ("api", top, "embed"),
        ("api", top, "embed", "cache"),
        ("api", top, "embed", "embedder"),
        ("embedder", top, "embed", "embedder", "embed"),
        ("api", top, "shards"),
        ("node", top, "shards", "search shard"),
        ("api", top, "shards", "hydrate"),
    }
    assert spans["node", "search shard"].instance == "node-s0-r0"


def test_an_upsert_is_one_trace_through_api_indexer_and_embedder(watched: Watched) -> None:
    trace = uuid.uuid4().hex
    body = {"id": "traced", "text": f"{SECRET} {trace}", "wait": "indexed"}
    headers = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    ok(watched.client.post("/v1/upsert", json=body, headers=headers, timeout=30))
    expected = {("api", "POST /v1/upsert"), ("indexer", "index"), ("embedder", "embed")}
    eventually(lambda: {(span.service, span.name) for span in watched.collector.of(trace)} == expected)
    (root,) = [span.own for span in watched.collector.of(trace) if span.service == "api"]
    assert {span.parent for span in watched.collector.of(trace) if span.service != "api"} == {root}


def test_probes_are_not_traced(watched: Watched) -> None:
    assert {span.name for span in watched.collector.spans if "/readyz" in span.name} == set()


def test_a_client_that_does_not_want_a_trace_gets_none(watched: Watched) -> None:
    unwanted, wanted = uuid.uuid4().hex, uuid.uuid4().hex
    for trace, flags in ((unwanted, "00"), (wanted, "01")):
        headers = {"traceparent": f"00-{trace}-00f067aa0ba902b7-{flags}"}
        ok(watched.client.post("/v1/search", json={"query": f"{SECRET} {trace}"}, headers=headers))
    eventually(lambda: {span.service for span in watched.collector.of(wanted)} == {"api", "embedder", "node"})
    assert watched.collector.of(unwanted) == []


def test_neither_logs_nor_spans_hold_what_users_sent(watched: Watched) -> None:
    ok(watched.client.post("/v1/search", json={"query": f"{SECRET} again"}))
    watched.client.post("/v1/search", json={"query": "x", "filters": {SECRET: [[]]}})
    eventually(lambda: any("with 400" in line["message"] for line in watched.lines("api")))
    logs = "".join(path.read_text(encoding="utf-8") for path in (watched.var / "logs").glob("*.log"))
    assert "answered POST /v1/search" in logs
    assert SECRET not in logs
    assert not any(SECRET.encode() in body for body in watched.collector.bodies)
