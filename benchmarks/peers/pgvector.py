"""pgvector: asked by pgbench with prepared statements, and behind a Django view as a team would write it."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import psycopg

from benchmarks import wrk
from benchmarks.bare_faiss import EF_CONSTRUCTION, EF_SEARCH, LINKS
from benchmarks.client import Client, to_body
from benchmarks.corpus import DIMENSION, Matrix, SearchSet
from benchmarks.errors import BenchmarkError
from benchmarks.exact import Truth
from benchmarks.latency import Latency, summarize
from benchmarks.peers.peer import PeerFigures, Round
from benchmarks.peers.postgres_server import VectorServer, vector_server
from benchmarks.peers.server import peer_server
from embedding_project.config import PROJECT_ROOT
from supervisor.ports import pick_free_port

# Postgres's binary COPY: a header, rows, a trailer; all numbers big-endian.
_COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_COPY_TRAILER = b"\xff\xff"
_ROW = np.dtype(
    [
        ("fields", ">i2"),
        ("id_length", ">i4"),
        ("id", ">i4"),
        ("vector_length", ">i4"),
        ("dimension", ">i2"),
        ("unused", ">i2"),
        ("vector", ">f4", DIMENSION),
    ]
)
_NEAREST = "SELECT id FROM peer_item ORDER BY vector <=> (SELECT vector FROM peer_query WHERE id = {id}) LIMIT {top_k}"


_VIEW_THREADS = 16
_VIEW_START_SECONDS = 30.0


def measure(folder: Path, data: SearchSet, truth: Truth, asked: Round) -> tuple[PeerFigures, PeerFigures]:
    """By SQL, and behind a view: load the vectors, check the answers, measure. Raises BenchmarkError when pgvector is
    not there."""
    with vector_server(folder / "pgvector") as server:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("CREATE EXTENSION vector")
            version = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
            build_rate = _load(connection, data)
            found = _answers(connection, len(data.queries), asked.top_k)
        script = folder / "pgvector.sql"
        nearest = _NEAREST.format(id=":id", top_k=asked.top_k)
        script.write_text(f"\\set id random(0, {len(data.queries) - 1})\n{nearest};\n", encoding="utf-8")
        alone, _ = _run(server, script, clients=1, seconds=asked.seconds)
        many, rate = _run(server, script, clients=asked.crowd, seconds=asked.seconds)
        view = _view_figures(server, folder, data, truth, asked)
    by_sql = PeerFigures(
        recall=truth.recall(found, asked.top_k),
        build_rate=build_rate,
        p50_ms=alone.p50_ms,
        p99_ms=alone.p99_ms,
        crowd_rate=rate,
        crowd_p99_ms=many.p99_ms,
        setting=f"pgvector {version[0] if version else '?'} in Postgres {server.version}, SQL, pgbench, prepared",
    )
    return by_sql, replace(view, build_rate=build_rate)


def _view_figures(server: VectorServer, folder: Path, data: SearchSet, truth: Truth, asked: Round) -> PeerFigures:
    bodies = [to_body({"vector": query, "top_k": asked.top_k}) for query in data.queries]
    file = wrk.write_bodies(folder / "view.jsonl", bodies)
    with _view(server) as url:
        client = Client(url)
        found = [[hit["id"] for hit in client.post("/search", body)["hits"]] for body in bodies]
        client.close()
        alone = wrk.run(url, "/search", file, connections=1, seconds=asked.seconds)
        many = wrk.run(url, "/search", file, connections=asked.crowd, seconds=asked.seconds)
    return PeerFigures(
        recall=truth.recall(found, asked.top_k),
        build_rate=0.0,
        p50_ms=alone.p50_ms,
        p99_ms=alone.p99_ms,
        crowd_rate=many.rate,
        crowd_p99_ms=many.p99_ms,
        setting="the same table behind one Django view with a pool, Granian with one process, HTTP",
    )


@contextmanager
def _view(server: VectorServer) -> Iterator[str]:
    """The service as a team would write it, with the HTTP server and the processes of ours."""
    port = pick_free_port()
    command = (
        *(sys.executable, "-m", "granian", "--interface", "wsgi", "--http", "1", "--host", "127.0.0.1"),
        *("--port", str(port), "--workers", "1", "--blocking-threads", str(_VIEW_THREADS)),
        "benchmarks.peers.django_view:application",
    )
    environ = {
        "VECTOR_DATABASE_URL": server.url,
        "VECTOR_EF_SEARCH": str(EF_SEARCH),
        "PYTHONPATH": str(PROJECT_ROOT),
        "DJANGO_SETTINGS_MODULE": "",
    }
    url = f"http://127.0.0.1:{port}"
    with peer_server(command, f"{url}/ready", _VIEW_START_SECONDS, environ):
        yield url


def _load(connection: psycopg.Connection, data: SearchSet) -> float:
    """Vectors per second, copying and building."""
    began = time.perf_counter()
    for table, vectors in (("peer_item", data.vectors), ("peer_query", data.queries)):
        connection.execute(f"CREATE TABLE {table} (id integer PRIMARY KEY, vector vector({DIMENSION}))".encode())
        with connection.cursor().copy(f"COPY {table} FROM STDIN (FORMAT binary)".encode()) as copy:
            copy.write(_COPY_HEADER + _rows(vectors) + _COPY_TRAILER)
    connection.execute("SET maintenance_work_mem = '512MB'")
    options = f"m = {LINKS}, ef_construction = {EF_CONSTRUCTION}"
    connection.execute(f"CREATE INDEX ON peer_item USING hnsw (vector vector_cosine_ops) WITH ({options})".encode())
    rate = len(data.vectors) / (time.perf_counter() - began)
    connection.execute("ANALYZE peer_item, peer_query")
    return rate


def _rows(vectors: Matrix) -> bytes:
    rows = np.zeros(len(vectors), _ROW)
    rows["fields"], rows["id_length"], rows["vector_length"] = 2, 4, 4 + 4 * DIMENSION
    rows["id"], rows["dimension"], rows["vector"] = np.arange(len(vectors)), DIMENSION, vectors
    return rows.tobytes()


def _answers(connection: psycopg.Connection, queries: int, top_k: int) -> list[list[int]]:
    connection.execute(f"SET hnsw.ef_search = {EF_SEARCH}".encode())
    plan = connection.execute(("EXPLAIN " + _NEAREST.format(id=0, top_k=top_k)).encode()).fetchall()
    if not any("hnsw" in row[0] or "vector_idx" in row[0] for row in plan):
        raise BenchmarkError(f"pgvector does not use its index: {plan}")
    statement = _NEAREST.format(id="%s", top_k=top_k).encode()
    return [[row[0] for row in connection.execute(statement, (query,), prepare=True)] for query in range(queries)]


def _run(server: VectorServer, script: Path, *, clients: int, seconds: int) -> tuple[Latency, float]:
    """The latency of single searches, and searches per second."""
    prefix = script.with_suffix(f".{clients}")
    command = (
        *(
            str(server.pgbench),
            "--no-vacuum",
            "--protocol=prepared",
            f"--client={clients}",
            "--jobs=1",
            f"--time={seconds}",
        ),
        *(f"--file={script}", "--log", f"--log-prefix={prefix}", server.url),
    )
    environment = {**os.environ, "PGOPTIONS": f"-c hnsw.ef_search={EF_SEARCH}"}
    outcome = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if outcome.returncode:
        raise BenchmarkError(f"pgbench failed: {outcome.stderr.strip()[-500:]}")
    # Third column of a log line: microseconds of the transaction.
    logs = script.parent.glob(f"{prefix.name}.[0-9]*")
    times = [int(line.split()[2]) / 1000 for log in logs for line in log.read_text(encoding="ascii").splitlines()]
    return summarize(times), len(times) / seconds
