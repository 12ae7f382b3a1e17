"""Documents with given vectors, written at a steady rate beside what is measured, into several namespaces in turn.

Requests leave by the clock, in turn from a few threads, so that a slow answer delays no later request.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from benchmarks.client import Client
from benchmarks.corpus import Matrix
from benchmarks.errors import BenchmarkError

_SENDERS = 4

Json = dict[str, Any]


@dataclass(slots=True, kw_only=True)
class SteadyWrites:
    """Runs from `running` until its end."""

    url: str
    model_id: str
    namespaces: Sequence[str]
    """Each request goes to the next one."""
    vectors: Matrix
    """Of the documents; each takes the next one."""
    documents_per_second: int
    documents_per_request: int
    written: list[int] = field(default_factory=list)
    """Documents of each request that was answered."""
    late: list[float] = field(default_factory=list)
    """Seconds by which each request left after it was due."""
    failures: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)
    _ending: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator["SteadyWrites"]:
        began = time.monotonic()
        threads = [threading.Thread(target=self._send, args=(began,)) for _ in range(_SENDERS)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._ending.set()
            for thread in threads:
                thread.join()

    def _send(self, began: float) -> None:
        client = Client(self.url)
        pause = self.documents_per_request / self.documents_per_second
        for number in self._numbers:
            due = began + pause * number
            if self._ending.wait(max(due - time.monotonic(), 0.0)):
                break
            self.late.append(time.monotonic() - due)
            try:
                client.post("/v1/upsert", self._body(number))
                self.written.append(self.documents_per_request)
            except BenchmarkError as error:
                self.failures.append(str(error))
        client.close()

    def _body(self, number: int) -> Json:
        first = number * self.documents_per_request
        rows = range(first, first + self.documents_per_request)
        documents = [{"id": f"written-{row}", "vector": self.vectors[row % len(self.vectors)]} for row in rows]
        namespace = self.namespaces[number % len(self.namespaces)]
        return {"namespace": namespace, "model_id": self.model_id, "documents": documents}
