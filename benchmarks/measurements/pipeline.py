"""The way of a text from the gateway through queue and embedder and back, over an encoder that costs nearly nothing."""

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks import wrk
from benchmarks.client import to_body
from benchmarks.errors import BenchmarkError
from benchmarks.own_instance import OwnInstance, own_directory, own_instance
from benchmarks.points import Point, measure_point
from benchmarks.process_cpu import CpuWatch, describe
from benchmarks.report import Figure, Goal
from embedding_project.config import PROJECT_ROOT, inherited_environment

_CALLERS, _TEXTS = 64, 8
_SECONDS = 6
_INPUTS = 64
_CLIENTS = 8
_BODIES = 4_000
"""More than a point can post: no text comes twice, none is in the cache."""
_MODEL = "hashes"


def measure() -> list[Figure]:
    wrk.require_wrk()
    with own_directory() as folder, own_instance(folder) as instance:
        instance.manage(
            *("register_model", "--model-id", _MODEL, "--type", "transformers", "--artifact", "hashing:"),
            *("--dimension", "384", "--activate"),
        )
        watch = CpuWatch(instance.var)
        crowd = _gateway(instance, _CALLERS, _TEXTS)
        cores = describe(watch.stop())
        alone = _gateway(instance, 1, 1)
        http = _http(instance, folder)
    label = f"gateway in process, {_CALLERS} callers x {_TEXTS} texts"
    return [
        Figure(label, crowd["items_per_second"], "items/s", Goal(10_000, at_least=True), f"cores: {cores}"),
        Figure(
            f"{label}, processor time of the gateway", crowd["cpu_us_per_item"], "us/item", Goal(80, at_least=False)
        ),
        Figure(f"{label}, p50", crowd["p50_ms"], "ms"),
        Figure(f"{label}, p99", crowd["p99_ms"], "ms"),
        Figure("gateway in process, idle, 1 text, p50", alone["p50_ms"], "ms", Goal(6, at_least=False)),
        Figure("gateway in process, idle, 1 text, p99", alone["p99_ms"], "ms"),
        Figure(
            f"over HTTP, {_CLIENTS} clients x {_INPUTS} inputs",
            http.load.rate * _INPUTS,
            "inputs/s",
            Goal(10_000, at_least=True),
            http.note,
        ),
        Figure(f"over HTTP, {_CLIENTS} clients x {_INPUTS} inputs, p50", http.load.p50_ms, "ms"),
    ]


def _gateway(instance: OwnInstance, callers: int, texts: int) -> dict[str, float]:
    command = (sys.executable, "-m", "benchmarks.gateway_load", str(callers), str(texts), str(_SECONDS))
    environ = {**inherited_environment(), "VAR_DIR": str(instance.var)}
    answer = subprocess.run(command, cwd=PROJECT_ROOT, env=environ, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise BenchmarkError(f"the gateway under load failed: {answer.stderr.strip()}")
    found: dict[str, float] = json.loads(answer.stdout)
    return found


def _http(instance: OwnInstance, folder: Path) -> Point:
    bodies = wrk.write_bodies(folder / "distinct.jsonl", itertools.islice(_bodies(), _BODIES))
    return measure_point(instance, "/v1/embed", bodies, connections=_CLIENTS, warm_up=False)


def _bodies() -> Iterator[bytes]:
    for number in itertools.count():
        yield to_body({"model_id": _MODEL, "inputs": [f"text {number} {position}" for position in range(_INPUTS)]})
