"""`python -m benchmarks.gateway_load CALLERS TEXTS SECONDS`: the embed gateway in this process under load, as JSON.

The embedder that takes its messages runs the hashing encoder: what is measured is the way there and back.
"""

import itertools
import json
import sys
import threading
import time
from dataclasses import replace

from benchmarks.latency import summarize
from embedding_project.contracts.messages import EmbedItem, Lane
from embedding_project.contracts.model_spec import PACKAGED_MODEL
from embeddings_app.services.embedding.flights import StreamKey
from embeddings_app.services.embedding.gateway import gateway

HASHES = replace(PACKAGED_MODEL, model_id="hashes", artifact="hashing:")
_KEY = StreamKey(HASHES, Lane.INTERACTIVE, False)
_DEADLINE_SECONDS = 30.0
_WARM_UP_CALLS = 20


def main(callers: int, texts: int, seconds: float) -> None:
    """Call the gateway from `callers` threads with `texts` distinct texts a call."""
    numbers = itertools.count()
    for _ in range(_WARM_UP_CALLS):
        _call(texts, next(numbers))
    times: list[float] = []
    threads = [threading.Thread(target=_caller, args=(texts, seconds, numbers, times)) for _ in range(callers)]
    began, cpu = time.monotonic(), time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    items = texts * len(times)
    latency = summarize(times)
    print(
        json.dumps(
            {
                "items_per_second": items / (time.monotonic() - began),
                "cpu_us_per_item": 1e6 * (time.process_time() - cpu) / items,
                "p50_ms": latency.p50_ms,
                "p99_ms": latency.p99_ms,
            }
        )
    )


def _caller(texts: int, seconds: float, numbers: "itertools.count[int]", times: list[float]) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.perf_counter()
        _call(texts, next(numbers))
        times.append(1000 * (time.perf_counter() - began))


def _call(texts: int, number: int) -> None:
    items = [
        EmbedItem(cache_key=b"%d %d" % (number, position), text=f"{number} {position}") for position in range(texts)
    ]
    outcomes = gateway().embed(_KEY, items, time.monotonic() + _DEADLINE_SECONDS)
    failed = [outcome for outcome in outcomes if isinstance(outcome, str)]
    if failed:
        raise SystemExit(f"not embedded: {failed[0]}")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
