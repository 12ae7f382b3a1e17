"""/v1/embed when every text is in the cache: the cost of the way through the service, without a model."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks import corpus, wrk
from benchmarks.client import Client, to_body
from benchmarks.errors import BenchmarkError
from benchmarks.own_instance import OwnInstance, own_directory, own_instance
from benchmarks.points import measure_point
from benchmarks.report import Figure, Goal

PATH = "/v1/embed"
_INPUTS = 256
_REQUESTS = 2
"""Distinct bodies of 256 inputs; they take turns."""
_FILL_INPUTS = 32
"""Few enough for a slow machine to embed within the deadline."""
_MANY_CLIENTS = 4
_SINGLE_CLIENTS = 16
_RATE_GOAL = Goal(5_000, at_least=True)
_ENCODINGS = {"base64": Goal(10_000, at_least=True), "binary": Goal(25_000, at_least=True)}
"""Each with its goal, beside JSON."""


def measure() -> list[Figure]:
    wrk.require_wrk()
    texts = corpus.texts(_REQUESTS * _INPUTS)
    batches = [texts[start : start + _INPUTS] for start in range(0, len(texts), _INPUTS)]
    figures = []
    with own_directory() as folder:
        full = wrk.write_bodies(folder / "full.jsonl", (to_body({"inputs": batch}) for batch in batches))
        encoded = {
            name: wrk.write_bodies(
                folder / f"{name}.jsonl", (to_body({"inputs": batch, "encoding_format": name}) for batch in batches)
            )
            for name in _ENCODINGS
        }
        single = wrk.write_bodies(folder / "single.jsonl", (to_body({"inputs": [text]}) for text in texts))
        for processes in (1, 2):
            with own_instance(folder, api_processes=processes) as instance:
                _fill_cache(instance, batches)
                figures += _full_requests(instance, full, processes)
                figures += [_encoded_requests(instance, encoded[name], processes, name) for name in _ENCODINGS]
                figures += _single_requests(instance, single, processes)
    return figures


def _fill_cache(instance: OwnInstance, batches: Sequence[Sequence[str]]) -> None:
    client = Client(instance.url)
    for batch in batches:
        for start in range(0, _INPUTS, _FILL_INPUTS):
            client.embed(batch[start : start + _FILL_INPUTS])
        answer = client.embed(batch)
        if not all(item["cached"] for item in answer["items"]):
            raise BenchmarkError("a text that was embedded a moment ago is not in the cache")
    client.close()


def _full_requests(instance: OwnInstance, bodies: Path, processes: int) -> list[Figure]:
    label = f"{_INPUTS} inputs a request, {processes} api"
    alone = measure_point(instance, PATH, bodies, connections=1)
    crowd = measure_point(instance, PATH, bodies, connections=_MANY_CLIENTS)
    return [
        Figure(f"{label}, 1 client, p50", alone.load.p50_ms, "ms", note=alone.note),
        Figure(f"{label}, 1 client, p99", alone.load.p99_ms, "ms"),
        Figure(f"{label}, 1 client", alone.load.rate * _INPUTS, "inputs/s"),
        Figure(f"{label}, {_MANY_CLIENTS} clients", crowd.load.rate * _INPUTS, "inputs/s", _RATE_GOAL, crowd.note),
        Figure(f"{label}, {_MANY_CLIENTS} clients, p99", crowd.load.p99_ms, "ms"),
    ]


def _encoded_requests(instance: OwnInstance, bodies: Path, processes: int, encoding: str) -> Figure:
    crowd = measure_point(instance, PATH, bodies, connections=_MANY_CLIENTS)
    label = f"{_INPUTS} inputs a request, {processes} api, {_MANY_CLIENTS} clients, {encoding}"
    return Figure(label, crowd.load.rate * _INPUTS, "inputs/s", _ENCODINGS[encoding], crowd.note)


def _single_requests(instance: OwnInstance, bodies: Path, processes: int) -> list[Figure]:
    label = f"1 input a request, {processes} api"
    alone = measure_point(instance, PATH, bodies, connections=1)
    crowd = measure_point(instance, PATH, bodies, connections=_SINGLE_CLIENTS)
    return [
        Figure(f"{label}, 1 client, p50", alone.load.p50_ms, "ms", note=alone.note),
        Figure(f"{label}, 1 client, p99", alone.load.p99_ms, "ms"),
        Figure(f"{label}, {_SINGLE_CLIENTS} clients", crowd.load.rate, "requests/s", note=crowd.note),
    ]
