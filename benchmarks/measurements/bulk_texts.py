"""Texts that a bulk job embeds in two processes, beside /v1/embed over HTTP in the same run on the same machine."""

from pathlib import Path

import orjson

from benchmarks import corpus
from benchmarks.client import Client
from benchmarks.latency import rate_of
from benchmarks.own_instance import OwnInstance, own_directory, own_instance
from benchmarks.process_cpu import OTHERS, CpuWatch
from benchmarks.report import Figure, Goal

SIZE = 2_048
WORKERS = 2
_NAMESPACE = "bulk-texts"
_CLIENTS = 8
_INPUTS_A_REQUEST = 32
_EMBEDDED = 512
"""Texts that go through /v1/embed, half of them before the job and half after it."""
_BUCKETS = 16
_FACTOR = Goal(1.25, at_least=True)
_RATE = """
WITH numbered AS (
    SELECT b.inserted, b.loaded_at, row_number() OVER (ORDER BY b.loaded_at) AS place
    FROM bulk_bucket b JOIN bulk_job j ON j.id = b.job_id
    WHERE j.state = 'done' AND j.id = (SELECT max(id) FROM bulk_job)
)
SELECT sum(inserted) FILTER (WHERE place > %s)::float8,
       extract(epoch FROM max(loaded_at) - min(loaded_at) FILTER (WHERE place = %s))::float8 FROM numbered
"""


def measure(size: int = SIZE) -> list[Figure]:
    texts = corpus.texts(size + _EMBEDDED)
    halves = texts[size : size + _EMBEDDED // 2], texts[size + _EMBEDDED // 2 :]
    # What can be done is measured here, not what is refused so that nobody waits long.
    patient = {"EMBED_MAX_WAIT_SECONDS": "30"}
    with own_directory() as folder, own_instance(folder, environ=patient) as instance:
        client, watch = Client(instance.url), CpuWatch(instance.var)
        client.embed(["Warm up the model."])
        before = _embed_rate(client, halves[0])
        source = str(write_file(folder / "texts.jsonl", texts[:size]))
        rate = bulk_rate(instance, source, size, _NAMESPACE, "--workers", str(WORKERS))
        online = (before + _embed_rate(client, halves[1])) / 2
        others = f"others kept {watch.stop()[OTHERS]:.2f} cores busy meanwhile"
        client.close()
    clients = f"{_CLIENTS} clients x {_INPUTS_A_REQUEST} texts, before and after the job; {others}"
    job = f"{size:,} texts, {WORKERS} processes; the load of the model is left out"
    return [
        Figure("/v1/embed, nothing cached", online, "texts/s", note=clients),
        Figure("bulk, texts embedded and in Postgres", rate, "texts/s", note=job),
        Figure("bulk beside /v1/embed", rate / online, "x", _FACTOR),
    ]


def _embed_rate(client: Client, texts: list[str]) -> float:
    requests = [texts[start : start + _INPUTS_A_REQUEST] for start in range(0, len(texts), _INPUTS_A_REQUEST)]
    return _INPUTS_A_REQUEST * rate_of(client.embed, requests, _CLIENTS)


def bulk_rate(instance: OwnInstance, source: str, size: int, namespace: str, *options: str) -> float:
    """Texts a second, from the end of the first bucket of every process, which holds the load of the model."""
    instance.manage(
        *("bulk_ingest", "run", source, "--namespace", namespace, "--bucket-rows", str(size // _BUCKETS)), *options
    )
    ((rows, seconds),) = instance.query(_RATE, (WORKERS, WORKERS))
    return rows / seconds


def write_file(path: Path, texts: list[str]) -> Path:
    with path.open("wb") as file:
        for number, text in enumerate(texts):
            file.write(orjson.dumps({"id": f"{number:09d}", "text": text}) + b"\n")
    return path
