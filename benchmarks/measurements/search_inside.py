"""Where the time of a search goes: the stages its answer names, and the processor time of each role."""

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from benchmarks import corpus, wrk
from benchmarks.client import Client
from benchmarks.latency import summarize
from benchmarks.loaded_index import load, search_bodies
from benchmarks.measurements.search import CROWD, PATH, environ
from benchmarks.own_instance import own_directory, own_instance
from benchmarks.points import Point, measure_point
from benchmarks.report import Figure

_SIZE = 20_000
_BUSY_CLIENTS = 8
_LEAST_COST_MS = 0.02


def measure() -> list[Figure]:
    wrk.require_wrk()
    data = corpus.search_set(_SIZE)
    bodies = search_bodies(data.queries, include=[])
    with own_directory() as folder, own_instance(folder, environ=environ()) as instance:
        load(instance, data)
        client = Client(instance.url)
        figures = [*_stages(client, bodies, 1), *_stages(client, bodies, _BUSY_CLIENTS)]
        client.close()
        lean = wrk.write_bodies(folder / "lean.jsonl", bodies)
        for connections in (1, CROWD):
            figures += _costs(measure_point(instance, PATH, lean, connections=connections))
    return figures


def _stages(client: Client, bodies: Sequence[bytes], clients: int) -> list[Figure]:
    """The stages by the service's own clock."""
    times = defaultdict(list)
    with ThreadPoolExecutor(clients) as pool:
        for answer in pool.map(lambda body: client.post(PATH, body), bodies):
            for stage, milliseconds in answer["timings_ms"].items():
                times[stage].append(milliseconds)
    figures = []
    for stage, values in times.items():
        latency = summarize(values)
        note = f"p99 {latency.p99_ms:.2f}, {_SIZE:,} vectors"
        figures.append(Figure(f"stage {stage}, {clients} clients, p50", latency.p50_ms, "ms", note=note))
    return figures


def _costs(point: Point) -> list[Figure]:
    clients, costs = point.load.connections, point.cpu_ms
    figures = [
        Figure(f"processor time of {role}, {clients} clients", cost, "ms/search")
        for role, cost in costs.items()
        if cost >= _LEAST_COST_MS
    ]
    total = sum(costs.values())
    return [Figure(f"processor time of all, {clients} clients", total, "ms/search", note=point.note), *figures]
