"""The embedders on a GPU: short texts sustained through the service, one at a time, and how busy the GPU is by each."""

import itertools
import json
import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from typing import Self

import torch

from benchmarks import corpus, wrk
from benchmarks.client import Client
from benchmarks.errors import BenchmarkError
from benchmarks.own_instance import OwnInstance, own_directory, own_instance
from benchmarks.report import Figure, Goal

_PATH = "/v1/embed"
_INPUTS = 64
_BODIES = 8_000
"""Half a million texts: none is sent twice, or it would come from the cache."""
_CLIENTS = 32
_SECONDS = 20
_SAMPLE_SECONDS = 0.5
_ENVIRON = {"EMBED_DEVICE": "cuda", "EMBED_MAX_WAIT_SECONDS": "30"}
_STEP_METRICS = ("embedder_step_seconds", "embedder_step_items")
_QUERY = ("nvidia-smi", "--query-gpu=utilization.gpu,memory.used,name", "--format=csv,noheader,nounits")


def measure() -> list[Figure]:
    wrk.require_wrk()
    if not torch.cuda.is_available():
        raise BenchmarkError("torch finds no GPU here: nothing was measured")
    with own_directory() as folder:
        batches = wrk.write_bodies(folder / "batches.jsonl", _bodies(_BODIES, _INPUTS, first=0))
        singles = wrk.write_bodies(folder / "singles.jsonl", _bodies(_BODIES, 1, first=_BODIES * _INPUTS))
        with own_instance(folder, api_processes=4, environ=_ENVIRON) as instance:
            client = Client(instance.url)
            client.embed(["Warm up the model."])
            figures = [*_sustained(instance, client, batches), *_one_at_a_time(instance, singles)]
            client.close()
    return figures


def _bodies(count: int, inputs: int, first: int) -> Iterator[bytes]:
    words, numbers = corpus.short_texts(2_000), itertools.count(first)
    for _ in range(count):
        texts = [f"{words[number % len(words)]} {number}" for number in itertools.islice(numbers, inputs)]
        yield json.dumps({"inputs": texts, "encoding_format": "binary"}).encode()


def _sustained(instance: OwnInstance, client: Client, bodies: Path) -> list[Figure]:
    before = _steps(client)
    with _GpuWatch() as gpu:
        load = wrk.run(instance.url, _PATH, bodies, connections=_CLIENTS, seconds=_SECONDS)
    seconds, items = (after - earlier for after, earlier in zip(_steps(client), before, strict=True))
    note = (
        f"{_CLIENTS} clients x {_INPUTS} texts, {_SECONDS} s, {load.refused} refused; {gpu.name}, {gpu.memory_mib} MiB"
    )
    return [
        Figure("short texts, sustained", load.rate * _INPUTS, "texts/s", Goal(10_000, at_least=True), note),
        Figure("GPU busy meanwhile", gpu.busy, "%", Goal(80, at_least=True)),
        Figure("in a batch, an item", 1_000 * seconds / items, "ms", Goal(20, at_least=False)),
    ]


def _one_at_a_time(instance: OwnInstance, bodies: Path) -> list[Figure]:
    with _GpuWatch() as gpu:
        load = wrk.run(instance.url, _PATH, bodies, connections=1, seconds=_SECONDS)
    return [
        Figure("one text at a time", load.rate, "texts/s"),
        Figure("one text at a time, p50", load.p50_ms, "ms"),
        Figure("GPU busy meanwhile, one text at a time", gpu.busy, "%"),
    ]


def _steps(client: Client) -> tuple[float, float]:
    """Seconds of all forward passes so far, and the texts in them."""
    text = client.text("/metrics")
    sums = [re.findall(rf"^{name}_sum\{{.*\}} (\S+)$", text, re.MULTILINE) for name in _STEP_METRICS]
    seconds, items = (sum(map(float, found)) for found in sums)
    return seconds, items


class _GpuWatch:
    """Samples the first GPU while the block runs."""

    def __init__(self) -> None:
        self._samples: list[tuple[float, int, str]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if not self._samples:
            raise BenchmarkError("nvidia-smi says nothing of the GPU")

    def _run(self) -> None:
        while not self._stop.wait(_SAMPLE_SECONDS):
            found = subprocess.run(_QUERY, capture_output=True, text=True, check=False)
            if found.returncode == 0:
                busy, memory, name = found.stdout.splitlines()[0].split(", ", 2)
                self._samples.append((float(busy), int(memory), name))

    @property
    def busy(self) -> float:
        """Percent of the time in which a kernel ran."""
        return mean(busy for busy, _, _ in self._samples)

    @property
    def memory_mib(self) -> int:
        return max(memory for _, memory, _ in self._samples)

    @property
    def name(self) -> str:
        return self._samples[-1][2]
