"""The same vectors, queries and graph settings in other engines, over the wire, one after another in one run."""

from benchmarks import corpus, wrk
from benchmarks.client import Client
from benchmarks.errors import BenchmarkError
from benchmarks.exact import truth_of
from benchmarks.loaded_index import TOP_K, load, recall, search_bodies
from benchmarks.measurements.search import PATH
from benchmarks.own_instance import own_directory, own_instance
from benchmarks.peers import chroma, pgvector
from benchmarks.peers.peer import PeerFigures
from benchmarks.points import SECONDS, measure_point
from benchmarks.process_cpu import wait_until_idle
from benchmarks.report import Figure

_CROWD = 8


def measure() -> list[Figure]:
    wrk.require_wrk()
    data = corpus.search_set()
    truth = truth_of(data.vectors, data.queries, TOP_K)
    options = {"top_k": TOP_K, "crowd": _CROWD, "seconds": SECONDS}
    with own_directory() as folder:
        with own_instance(folder) as instance:
            loading = load(instance, data)
            bodies = search_bodies(data, include=[])
            client = Client(instance.url)
            found = recall(client, data, truth, bodies)
            client.close()
            lean = wrk.write_bodies(folder / "lean.jsonl", bodies)
            alone = measure_point(instance, PATH, lean, connections=1)
            many = measure_point(instance, PATH, lean, connections=_CROWD)
            ours = PeerFigures(
                recall=found,
                build_rate=loading.documents / loading.graph_seconds,
                p50_ms=alone.load.p50_ms,
                p99_ms=alone.load.p99_ms,
                crowd_rate=many.load.rate,
                crowd_p99_ms=many.load.p99_ms,
                setting="HTTP; stored in Postgres, 2 shards, hits verified",
            )
            figures = _figures("this service", ours)
            try:
                wait_until_idle(instance.var)
                figures += _figures("pgvector", pgvector.measure(folder, instance.database_url, data, truth, **options))
            except BenchmarkError as error:
                print(f"pgvector is left out: {error}")
        try:
            figures += _figures("Chroma", chroma.measure(folder, data, truth, **options))
        except BenchmarkError as error:
            print(f"Chroma is left out: {error}")
    return figures


def _figures(name: str, found: PeerFigures) -> list[Figure]:
    return [
        Figure(f"{name}: recall@{TOP_K}", found.recall, "", note=found.setting),
        Figure(f"{name}: 1 client, p50", found.p50_ms, "ms"),
        Figure(f"{name}: 1 client, p99", found.p99_ms, "ms"),
        Figure(f"{name}: {_CROWD} clients", found.crowd_rate, "searches/s"),
        Figure(f"{name}: {_CROWD} clients, p99", found.crowd_p99_ms, "ms"),
        Figure(f"{name}: loaded", found.build_rate, "vectors/s"),
    ]
