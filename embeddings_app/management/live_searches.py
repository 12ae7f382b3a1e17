"""Searches that go on beside what a command does, one after another, and what became of them."""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import Self

from embedding_project.config import Config
from embeddings_app.management.http_client import ApiClient, ApiError

_PAUSE_SECONDS = 0.1


class LiveSearches:
    """Runs inside its `with` block, in a thread of its own."""

    def __init__(self, config: Config, namespace: str, queries: Sequence[str]) -> None:
        self._api = ApiClient(config)
        self._namespace = namespace
        self._queries = queries
        self._ending = threading.Event()
        self._milliseconds: list[float] = []
        self._versions: Counter[int] = Counter()
        self._failures: list[str] = []
        self._thread = threading.Thread(target=self._run, name="live-searches")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def summary(self) -> str:
        """How many searches, by which version they were answered, how many failed, and how long they took."""
        times = sorted(self._milliseconds)
        if not times:
            return "no search was answered"
        versions = ", ".join(f"{count} by version {version}" for version, count in sorted(self._versions.items()))
        failed = f"{len(self._failures)} failed" + (f" ({self._failures[0]})" if self._failures else "")
        p50, p99 = times[len(times) // 2], times[min(len(times) - 1, len(times) * 99 // 100)]
        return f"{len(times)} searches ({versions}), {failed}, p50 {p50:.0f} ms, p99 {p99:.0f} ms"

    def _run(self) -> None:
        for number in itertools.count():
            if self._ending.wait(_PAUSE_SECONDS):
                return
            began = time.perf_counter()
            # A text that no cache has: such a search needs the embedder, which the run keeps busy.
            query = f"{self._queries[number % len(self._queries)]} {number}"
            try:
                answer = self._api.post("/v1/search", {"namespace": self._namespace, "query": query, "top_k": 3})
            except ApiError as error:
                self._failures.append(str(error))
                continue
            self._milliseconds.append(1000 * (time.perf_counter() - began))
            self._versions[answer["model_version"]] += 1
