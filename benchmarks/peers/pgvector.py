"""pgvector, asked by pgbench with prepared statements."""

import os
import subprocess
import time
from pathlib import Path

import numpy as np
import psycopg

from benchmarks.bare_faiss import EF_CONSTRUCTION, EF_SEARCH, LINKS
from benchmarks.corpus import DIMENSION, Matrix, SearchSet
from benchmarks.errors import BenchmarkError
from benchmarks.exact import Truth
from benchmarks.latency import Latency, summarize
from benchmarks.peers.peer import PeerFigures, Round
from benchmarks.peers.postgres_server import VectorServer, vector_server

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


def measure(folder: Path, data: SearchSet, truth: Truth, asked: Round) -> PeerFigures:
    """Load the vectors, check the answers, measure. Raises BenchmarkError when pgvector is not there."""
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
    return PeerFigures(
        recall=truth.recall(found, asked.top_k),
        build_rate=build_rate,
        p50_ms=alone.p50_ms,
        p99_ms=alone.p99_ms,
        crowd_rate=rate,
        crowd_p99_ms=many.p99_ms,
        setting=f"pgvector {version[0] if version else '?'} in Postgres {server.version}, SQL, pgbench, prepared",
    )


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
