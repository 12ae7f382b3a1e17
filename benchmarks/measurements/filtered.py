"""Filtered searches of one graph, in this process: what they cost and find, for filters that pass much and little.

Filters pass a share of the documents: at random, whatever their vectors are; whole clusters of similar documents; or
the documents nearest to one of them, while the queries are anywhere. A write precedes every search, as in a namespace
that is written to: the first search under a filter tests it on all documents, later ones on what has changed.
"""

import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.corpus import BASE_VECTORS, DIMENSION, Matrix, enlarged_set
from benchmarks.errors import BenchmarkError
from benchmarks.report import Figure, Goal
from embedding_project.contracts.filters import Condition, to_wire
from index_nodes.builder import extend
from index_nodes.collection import DocumentState
from index_nodes.hnsw_segment import HnswSegment, search_one_thread_each
from index_nodes.scan import SearchSpec
from index_nodes.version_index import VersionIndex

KINDS = ("at random", "by cluster", "one region")
SHARES = (0.0001, 0.001, 0.01, 0.03, 0.1, 0.3, 0.5, 0.9, 1.0)
_TOP_K, _EF_SEARCH = 10, 100
_QUERIES = 100
_CLUSTERS = 200
_TIE = 1e-5
_NAMESPACE = 1
_LATER = 1e9
_RECALL = Goal(0.97, at_least=True)
_FACTOR = Goal(3.0, at_least=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    milliseconds: float
    """Processor time of a search, the median."""
    p95: float
    first: float
    """Of the first search, which tests the filter on every document."""
    recall: float


def measure(size: int = BASE_VECTORS) -> list[Figure]:
    vectors, queries = enlarged_set(size, _QUERIES)
    folder = Path(tempfile.mkdtemp(prefix="bench-filtered-"))
    try:
        places = _places(vectors)
        index = _built(folder, vectors, places)
        return _figures(_Measured(index, vectors, queries, places), size)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _places(vectors: Matrix) -> dict[str, NDArray[np.int64]]:
    """Of each document in the order of each kind of filter; a filter passes the first documents of an order."""
    random = np.random.default_rng(0)
    kmeans = faiss.Kmeans(DIMENSION, _CLUSTERS, spherical=True, seed=1, niter=5)
    kmeans.train(vectors)
    cluster = kmeans.index.search(vectors, 1)[1][:, 0]
    orders = {
        "at random": random.permutation(len(vectors)),
        "by cluster": np.argsort(random.permutation(_CLUSTERS)[cluster], kind="stable"),
        "one region": np.argsort(-(vectors @ vectors[0]), kind="stable"),
    }
    return {name: np.argsort(order, kind="stable") for name, order in orders.items()}


def _built(folder: Path, vectors: Matrix, places: Mapping[str, NDArray[np.int64]]) -> VersionIndex:
    index = VersionIndex(DIMENSION, folder / "v")
    for start in range(0, len(vectors), 1_000):
        index.apply([_state(row, vectors, places) for row in range(start, min(start + 1_000, len(vectors)))], 0.0)
    # At a time when no row is young any more, so that all of them get into a graph.
    while found := index.next_build(_LATER):
        namespace_key, job = found
        output = index.directory / f"{index.published}.faiss"
        extend(job.base.path if job.base else None, np.concatenate([*job.added_vectors()]), output)
        index.publish(namespace_key, job, HnswSegment.read(job.rows(), output))
    if index.segment_counts() != (0, 1):
        raise BenchmarkError("the vectors are not in one graph")
    return index


def _state(row: int, vectors: Matrix, places: Mapping[str, NDArray[np.int64]], revision: int = 1) -> DocumentState:
    return DocumentState(
        document_key=row, namespace_key=_NAMESPACE, revision=revision, text_revision=1, vector=vectors[row],
        metadata={name: int(place[row]) for name, place in places.items()},
    )  # fmt: skip


class _Measured:
    def __init__(
        self, index: VersionIndex, vectors: Matrix, queries: Matrix, places: Mapping[str, NDArray[np.int64]]
    ) -> None:
        self._index, self._vectors, self._queries, self._places = index, vectors, queries, places
        self._scores = queries @ vectors.T
        self._revision = 1
        search_one_thread_each()

    def everything(self) -> Outcome:
        return self._outcome("", self._scores)

    def filtered(self, kind: str, share: float) -> Outcome:
        count = round(share * len(self._vectors))
        passing = np.where(self._places[kind] < count, self._scores, -np.inf)
        return self._outcome(to_wire(Condition(kind, "lt", count)), passing)

    def _outcome(self, wire: str, scores: Matrix) -> Outcome:
        spec = SearchSpec(top_k=_TOP_K, ef_search=_EF_SEARCH, exact=False, filter=wire)
        milliseconds, near = [], 0.0
        for query, own in zip(self._queries, scores, strict=True):
            self._write()
            began = time.thread_time()
            hits = self._index.search(_NAMESPACE, query[np.newaxis], spec)[0]
            milliseconds.append(1_000 * (time.thread_time() - began))
            wanted = min(_TOP_K, int(np.isfinite(own).sum()))
            least = np.partition(own, -wanted)[-wanted]
            near += (own[hits.document_keys] >= least - _TIE).sum() * _TOP_K / wanted
        median, p95 = np.percentile(milliseconds, (50, 95))
        return Outcome(float(median), float(p95), milliseconds[0], near / (_TOP_K * len(self._queries)))

    def _write(self) -> None:
        self._revision += 1
        self._index.apply(
            [_state(self._revision % len(self._vectors), self._vectors, self._places, self._revision)], 0.0
        )


def _figures(measured: _Measured, size: int) -> list[Figure]:
    everything = measured.everything()
    figures = [
        Figure(
            "no filter",
            everything.milliseconds,
            "ms",
            note=f"processor time, median; p95 {everything.p95:.1f} ms; {size:,} x {DIMENSION}, ef {_EF_SEARCH}",
        ),
        Figure("no filter, recall@10", everything.recall, "", _RECALL),
    ]
    slowest, slowest_first = everything.milliseconds, 0.0
    for kind in KINDS:
        for share in SHARES:
            one = measured.filtered(kind, share)
            slowest, slowest_first = max(slowest, one.milliseconds), max(slowest_first, one.first)
            name = f"{kind}, {100 * share:g} %"
            figures += [
                Figure(name, one.milliseconds, "ms", note=f"p95 {one.p95:.1f} ms, the first search {one.first:.1f} ms"),
                Figure(f"{name}, recall@10", one.recall, "", _RECALL),
            ]
    return [
        *figures,
        Figure("slowest / no filter", slowest / everything.milliseconds, "x", _FACTOR),
        Figure("slowest first search under a filter", slowest_first, "ms"),
    ]
