"""One process that embeds the same texts in many threads at once, for test_single_flight.py.

What it computes it counts in Redis, writes to the cache as an embedder would, and answers. Prints its outcomes.
"""

import json
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import numpy as np
from redis import Redis

from embedding_project.broker.redis_clients import broker_client
from embedding_project.contracts.messages import EmbedItem, Lane
from embedding_project.contracts.vectors import EmbeddedText
from embedding_project.vector_cache import VectorCache
from embeddings_app.services.embedding.flights import Outcome
from embeddings_app.services.embedding.single_flight import SingleFlight
from tests.specs import SPEC


class Setup:
    """The single flight of a process, over an embedder that takes its time."""

    def __init__(
        self,
        url: str,
        run: str,
        compute_seconds: float,
        cache_seconds: float = 10.0,
        release: threading.Event | None = None,
    ) -> None:
        """`cache_seconds`: the time-out of the cache; long, since a busy machine may hold up its server. `release`:
        what is computed is done when it is set, and after `compute_seconds` at the latest."""
        self.redis = Redis.from_url(url)
        self.cache = VectorCache(broker_client(url, timeout_seconds=cache_seconds), ttl_seconds=60)
        self.flight = SingleFlight(self.cache)
        self._run = run
        self._compute_seconds = compute_seconds
        self._release = release or threading.Event()

    def items(self, texts: Sequence[str]) -> list[EmbedItem]:
        return [EmbedItem(cache_key=f"{self._run} {text}".encode(), text=text) for text in texts]

    def keys(self, *texts: str) -> list[bytes]:
        return [item.cache_key for item in self.items(texts)]

    def compute(self, items: Sequence[EmbedItem]) -> list[Outcome]:
        for item in items:
            self.redis.hincrby(f"computed {self._run}", item.text)
        self._release.wait(self._compute_seconds)
        outcomes: list[Outcome] = [
            item.text if item.text.endswith("_error") else EmbeddedText(_vector(item.text), len(item.text), False)
            for item in items
        ]
        frames = {
            item.cache_key: outcome.to_frame()
            for item, outcome in zip(items, outcomes, strict=True)
            if isinstance(outcome, EmbeddedText)
        }
        self.cache.put_many(frames)
        return outcomes

    def embed(self, texts: Sequence[str], lane: Lane = Lane.INTERACTIVE, seconds: float = 20.0) -> list[Outcome]:
        return self.flight.embed(SPEC, lane, self.items(texts), time.monotonic() + seconds, self.compute)

    def computed(self) -> dict[str, int]:
        """Text -> how often any process computed it."""
        found = cast(dict[bytes, bytes], self.redis.hgetall(f"computed {self._run}"))
        return {text.decode(): int(times) for text, times in found.items()}


def tokens_of(outcomes: Sequence[Outcome]) -> list[int]:
    """Of each text that was embedded."""
    return [outcome.tokens for outcome in outcomes if isinstance(outcome, EmbeddedText)]


def _vector(text: str) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    return np.full(SPEC.dimension, len(text), np.float32)


def main(url: str, run: str, compute_seconds: str, threads: str, *texts: str) -> None:
    setup = Setup(url, run, float(compute_seconds))
    setup.redis.incr(f"ready {run}")
    while not setup.redis.exists(f"go {run}"):
        time.sleep(0.002)
    with ThreadPoolExecutor(int(threads)) as pool:
        requests = [pool.submit(setup.embed, texts) for _ in range(int(threads))]
        answers = [[_shown(outcome) for outcome in request.result()] for request in requests]
    print(json.dumps(answers))


def _shown(outcome: Outcome) -> str | int:
    return outcome if isinstance(outcome, str) else outcome.tokens


if __name__ == "__main__":
    main(*sys.argv[1:])
