"""The same vectors, queries and graph settings in other engines, over the wire, one after another in one run."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
import psycopg

from benchmarks import corpus, wrk
from benchmarks.client import Client
from benchmarks.corpus import SearchSet
from benchmarks.errors import BenchmarkError
from benchmarks.exact import Truth, truth_of
from benchmarks.loaded_index import TOP_K, load, recall, row_of, search_bodies
from benchmarks.measurements.search import PATH, environ
from benchmarks.own_instance import OwnInstance, own_directory, own_instance
from benchmarks.peers import chroma, pgvector, qdrant
from benchmarks.peers.peer import PeerFigures, Round
from benchmarks.points import SECONDS, measure_point
from benchmarks.report import Figure
from supervisor.errors import StartError

_ROUND = Round(top_k=TOP_K, crowd=8, seconds=SECONDS)


def measure() -> list[Figure]:
    wrk.require_wrk()
    data = corpus.search_set()
    truth = truth_of(data.vectors, data.queries, TOP_K)
    with own_directory() as folder:
        with own_instance(folder, environ=environ()) as instance:
            figures = _figures("this service", _ours(folder, instance, data, truth))
        figures += _peers(("pgvector", "Django and pgvector"), lambda: pgvector.measure(folder, data, truth, _ROUND))
        figures += _peers(("Chroma",), lambda: (chroma.measure(folder, data, truth, _ROUND),))
        figures += _peers(("Qdrant Edge",), lambda: (qdrant.measure(folder, data, truth, _ROUND),))
    return figures


def _ours(folder: Path, instance: OwnInstance, data: SearchSet, truth: Truth) -> PeerFigures:
    loading = load(instance, data)
    bodies = search_bodies(data.queries, include=[])
    client = Client(instance.url)
    found = recall(client, row_of(data), truth, bodies)
    client.close()
    lean = wrk.write_bodies(folder / "lean.jsonl", bodies)
    alone = measure_point(instance, PATH, lean, connections=1, seconds=_ROUND.seconds)
    many = measure_point(instance, PATH, lean, connections=_ROUND.crowd, seconds=_ROUND.seconds)
    return PeerFigures(
        recall=found,
        build_rate=loading.documents / loading.graph_seconds,
        p50_ms=alone.load.p50_ms,
        p99_ms=alone.load.p99_ms,
        crowd_rate=many.load.rate,
        crowd_p99_ms=many.load.p99_ms,
        setting=f"HTTP; hits verified in Postgres, 2 shards; 1 client: {alone.note}; then {many.note}",
    )


def _peers(names: Sequence[str], measure_peers: Callable[[], Sequence[PeerFigures]]) -> list[Figure]:
    """The figures of peers that are measured together, or none and the reason, where they cannot be had here."""
    try:
        measured = measure_peers()
    except (BenchmarkError, StartError, OSError, psycopg.Error, httpx.HTTPError) as error:
        print(f"{', '.join(names)}: left out, {error}", file=sys.stderr)
        return []
    return [figure for name, found in zip(names, measured, strict=True) for figure in _figures(name, found)]


def _figures(name: str, found: PeerFigures) -> list[Figure]:
    return [
        Figure(f"{name}: recall@{TOP_K}", found.recall, "", note=found.setting),
        Figure(f"{name}: 1 client, p50", found.p50_ms, "ms"),
        Figure(f"{name}: 1 client, p99", found.p99_ms, "ms"),
        Figure(f"{name}: {_ROUND.crowd} clients", found.crowd_rate, "searches/s"),
        Figure(f"{name}: {_ROUND.crowd} clients, p99", found.crowd_p99_ms, "ms"),
        Figure(f"{name}: loaded", found.build_rate, "vectors/s"),
    ]
