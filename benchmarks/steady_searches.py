"""Searches by vector without a pause beside a change of the service, each with the time at which it left."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks.client import Client
from benchmarks.errors import BenchmarkError
from benchmarks.latency import Latency, summarize


@dataclass(slots=True, kw_only=True)
class SteadySearches:
    """Some clients, each with one search after another; runs from `running` until its end."""

    url: str
    bodies: Sequence[bytes]
    clients: int
    failures: list[str] = field(default_factory=list)
    """Searches that were refused, or answered without a shard."""
    _times: list[tuple[float, float]] = field(default_factory=list)
    """When each search left, by the monotonic clock, and its milliseconds."""
    _ending: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator["SteadySearches"]:
        threads = [threading.Thread(target=self._search, args=(number,)) for number in range(self.clients)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._ending.set()
            for thread in threads:
                thread.join()

    def latency(self, since: float, until: float) -> Latency:
        """Of the searches that left in the time given, by the monotonic clock. Raises BenchmarkError when none did."""
        return summarize(self._between(since, until))

    def slowest_ms(self, since: float, until: float) -> float:
        return max(self._between(since, until))

    def _between(self, since: float, until: float) -> list[float]:
        found = [milliseconds for left, milliseconds in list(self._times) if since <= left < until]
        if not found:
            raise BenchmarkError("no search was answered")
        return found

    def _search(self, number: int) -> None:
        client = Client(self.url)
        while not self._ending.is_set():
            left = time.monotonic()
            number += self.clients
            try:
                answer = client.post("/v1/search", self.bodies[number % len(self.bodies)])
            except BenchmarkError as error:
                self.failures.append(str(error))
                continue
            if answer["partial"]:
                self.failures.append("a shard was missing")
            self._times.append((left, 1_000 * (time.monotonic() - left)))
        client.close()
