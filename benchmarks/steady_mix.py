"""A steady mix of searches and upserts beside a change of the service: what each was answered, and after how long.

Each kind leaves by the clock, from a thread of its own; latency counts from the moment a request was due.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from benchmarks.client import Client
from benchmarks.corpus import Matrix
from benchmarks.errors import BenchmarkError
from benchmarks.latency import Latency, summarize

BY_TEXT, BY_VECTOR, UPSERT = "text", "vector", "upsert"
RATES = {BY_TEXT: 4.0, BY_VECTOR: 12.0, UPSERT: 2.0}
"""Requests per second of each kind."""
_TOP_K = 10
_TOLERANCE = 0.002

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    kind: str
    began_at: float
    """When it left, in seconds since the epoch."""
    milliseconds: float
    query: int
    """Number of the query; of an upsert, number of the document."""
    version: int
    """Of the model, as the answer says; 0 for an upsert."""
    hits: tuple[tuple[str, float], ...]


@dataclass(slots=True)
class Mix:
    """Runs from `running` until its end; the samples may be read at any time."""

    url: str
    namespace: str
    queries: Sequence[str]
    vectors: Matrix
    texts: Sequence[str]
    """Of the documents that are written meanwhile; each request takes the next one."""
    samples: list[Sample] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    _ending: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator["Mix"]:
        bodies: dict[str, Callable[[int], Json]] = {
            BY_TEXT: lambda number: {"query": self.queries[number % len(self.queries)]},
            BY_VECTOR: lambda number: {"vector": self.vectors[number % len(self.vectors)]},
            UPSERT: self._document,
        }
        threads = [threading.Thread(target=self._send, args=(kind, body)) for kind, body in bodies.items()]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._ending.set()
            for thread in threads:
                thread.join()

    def latency(self, kind: str, since: float, until: float) -> Latency:
        """Of the requests of the kind that left in the time given, in seconds since the epoch."""
        found = [s.milliseconds for s in self.samples if s.kind == kind and since <= s.began_at < until]
        if not found:
            raise BenchmarkError(f"no request of kind {kind} was answered")
        return summarize(found)

    def _document(self, number: int) -> Json:
        return {"documents": [{"id": f"written-{number}", "text": self.texts[number % len(self.texts)]}]}

    def _send(self, kind: str, body: Callable[[int], Json]) -> None:
        client = Client(self.url)
        path = "/v1/upsert" if kind == UPSERT else "/v1/search"
        more = {} if kind == UPSERT else {"top_k": _TOP_K, "include": []}
        due, began = 0.0, time.time()
        for number in count():
            due = began + number / RATES[kind]
            if self._ending.wait(max(due - time.time(), 0.0)):
                break
            left = time.time()
            try:
                answer = client.post(path, {"namespace": self.namespace, **more, **body(number)})
            except BenchmarkError as error:
                self.failures.append(f"{kind}: {error}")
                continue
            hits = tuple((hit["id"], hit["score"]) for hit in answer.get("hits", ()))
            if answer.get("partial"):
                self.failures.append(f"{kind}: a shard was missing")
            self.samples.append(
                Sample(
                    kind=kind,
                    began_at=left,
                    milliseconds=1000 * (time.time() - due),
                    query=number,
                    version=answer.get("model_version", 0),
                    hits=hits,
                )
            )
        client.close()


def strays(samples: Sequence[Sample], queries: dict[int, Matrix], documents: dict[int, dict[str, Matrix]]) -> int:
    """Searches by text with a hit whose score is not that of the version which the answer names.

    `queries` has the unit vectors of the queries by version, `documents` those of the documents by version and id.
    """
    wrong = 0
    for sample in samples:
        if sample.kind != BY_TEXT:
            continue
        known = documents[sample.version]
        mine = queries[sample.version]
        query = mine[sample.query % len(mine)]
        scores = [(score, float(query @ known[doc_id])) for doc_id, score in sample.hits if doc_id in known]
        wrong += any(abs(said - true) > _TOLERANCE for said, true in scores)
    return wrong
