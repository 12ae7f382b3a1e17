"""What a key with limits costs a search: the same searches with and without one, in turns on one instance."""

import statistics

from benchmarks import corpus, wrk
from benchmarks.loaded_index import load, search_bodies
from benchmarks.measurements.search import CROWD, PATH, environ
from benchmarks.own_instance import own_directory, own_instance
from benchmarks.report import Figure, Goal

_TURNS = 5
_SECONDS = 6
_ROOT_KEY = "root-key-of-the-benchmark"
_PLENTY = "1000000"


def measure() -> list[Figure]:
    wrk.require_wrk()
    data = corpus.search_set()
    with own_directory() as folder:
        bodies = wrk.write_bodies(folder / "lean.jsonl", search_bodies(data.queries, include=[]))
        with own_instance(folder, environ=environ()) as instance:
            load(instance, data)

            def rate(key: str) -> float:
                return wrk.run(instance.url, PATH, bodies, connections=CROWD, seconds=_SECONDS, key=key).rate

            rate("")
            keyless = [rate("") for _ in range(_TURNS)]
            limits = ("--requests-per-second", _PLENTY, "--inputs-per-second", _PLENTY)
            key = instance.manage("apikey", "create", "--name", "bench", "--scope", "search", *limits).strip()
        with own_instance(folder, environ=environ() | {"API_KEY": _ROOT_KEY}) as instance:
            rate(key)
            pairs = [(rate(_ROOT_KEY), rate(key)) for _ in range(_TURNS)]
    limited = statistics.median(limited / root for root, limited in pairs)
    return [
        Figure(f"keyless, {CROWD} clients", statistics.median(keyless), "searches/s", note="before the first key"),
        Figure(f"root key, {CROWD} clients", statistics.median(root for root, _ in pairs), "searches/s"),
        Figure(f"limited key, {CROWD} clients", statistics.median(found for _, found in pairs), "searches/s"),
        Figure("limited key / root key", limited, "x", Goal(0.95, at_least=True), f"median of {_TURNS} pairs"),
    ]
