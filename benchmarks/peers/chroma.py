"""Chroma's server, on loopback, asked with raw HTTP by wrk as our own service is."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import wrk
from benchmarks.bare_faiss import EF_CONSTRUCTION, EF_SEARCH, LINKS
from benchmarks.client import Client, to_body
from benchmarks.corpus import SearchSet
from benchmarks.exact import Truth
from benchmarks.peers.environment import peer_environment
from benchmarks.peers.peer import PeerFigures, Round
from benchmarks.peers.server import peer_server
from supervisor.ports import pick_free_port

REQUIREMENT = "chromadb==1.5.9"
_COLLECTIONS = "/api/v2/tenants/default_tenant/databases/default_database/collections"
_BATCH = 1_000
_START_SECONDS = 30.0


def measure(folder: Path, data: SearchSet, truth: Truth, asked: Round) -> PeerFigures:
    """Load the vectors, check the answers, measure. Raises BenchmarkError."""
    with _server(folder / "chroma") as url:
        client = Client(url)
        collection = client.post(_COLLECTIONS, _collection_body())["id"]
        began = time.perf_counter()
        for start in range(0, len(data.vectors), _BATCH):
            _add(client, collection, data, start)
        build_rate = len(data.vectors) / (time.perf_counter() - began)
        path = f"{_COLLECTIONS}/{collection}/query"
        bodies = [
            to_body({"query_embeddings": [query], "n_results": asked.top_k, "include": ["distances"]})
            for query in data.queries
        ]
        found = [[int(row) for row in client.post(path, body)["ids"][0]] for body in bodies]
        client.close()
        file = wrk.write_bodies(folder / "chroma.jsonl", bodies)
        alone = wrk.run(url, path, file, connections=1, seconds=asked.seconds)
        many = wrk.run(url, path, file, connections=asked.crowd, seconds=asked.seconds)
    return PeerFigures(
        recall=truth.recall(found, asked.top_k),
        build_rate=build_rate,
        p50_ms=alone.p50_ms,
        p99_ms=alone.p99_ms,
        crowd_rate=many.rate,
        crowd_p99_ms=many.p99_ms,
        setting=f"{REQUIREMENT}, HTTP, wrk {many.client_cores:.2f} cores",
    )


@contextmanager
def _server(data: Path) -> Iterator[str]:
    program = peer_environment(REQUIREMENT) / "chroma"
    port = pick_free_port()
    url = f"http://127.0.0.1:{port}"
    command = (str(program), "run", "--path", str(data), "--host", "127.0.0.1", "--port", str(port))
    try:
        with peer_server(command, f"{url}/api/v2/heartbeat", _START_SECONDS):
            yield url
    finally:
        shutil.rmtree(data, ignore_errors=True)


def _collection_body() -> dict[str, object]:
    graph = {
        "space": "cosine",
        "max_neighbors": LINKS,
        "ef_construction": EF_CONSTRUCTION,
        "ef_search": EF_SEARCH,
    }
    return {"name": "bench", "configuration": {"hnsw": graph}}


def _add(client: Client, collection: str, data: SearchSet, start: int) -> None:
    vectors = data.vectors[start : start + _BATCH]
    ids = [str(row) for row in range(start, start + len(vectors))]
    client.post(f"{_COLLECTIONS}/{collection}/add", {"ids": ids, "embeddings": list(vectors)})
