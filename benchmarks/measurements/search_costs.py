"""What the parts of a search cost a node, in this process: the constants of `contracts.search_costs`.

Each part is measured alone, by processor time of the thread: rows that are compared, in two widths; candidates of a
walk; conditions that are tested; hits that are returned. All arrays are larger than the caches of the processor.
"""

import shutil
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np

from benchmarks.corpus import BASE_VECTORS, DIMENSION, Matrix, enlarged_set
from benchmarks.report import Figure
from embedding_project.contracts import search_costs
from embedding_project.contracts.filters import And, Condition, Filter, Not, to_wire
from index_nodes.builder import extend
from index_nodes.collection import DocumentState
from index_nodes.hnsw_segment import HnswSegment, search_one_thread_each
from index_nodes.scan import RowTable, SearchSpec, scan
from index_nodes.selections import LiveRows
from index_nodes.version_index import VersionIndex

_QUERIES = 40
_WIDER = 4
_NAMESPACE = 1
_LATER = 1e9
_EF = (100, 400)
_TOP_K = (10, 2_000)
_revisions = count(2)


def measure(size: int = BASE_VECTORS) -> list[Figure]:
    vectors, queries = enlarged_set(size, _QUERIES)
    search_one_thread_each()
    wide = np.tile(vectors[: len(vectors) // _WIDER], _WIDER)
    figures = [_row(vectors, queries), _row(wide, np.tile(queries, _WIDER))]
    folder = Path(tempfile.mkdtemp(prefix="bench-costs-"))
    try:
        index = _built(folder, vectors)
        return [
            *figures,
            _exact(index, queries),
            _candidate(index, queries),
            *_filters(index, queries),
            _hit(index, queries),
        ]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _built(folder: Path, vectors: Matrix) -> VersionIndex:
    index = VersionIndex(DIMENSION, folder / "v")
    index.apply([_state(row, vector) for row, vector in enumerate(vectors)], 0.0)
    while found := index.next_build(_LATER):
        namespace_key, job = found
        output = index.directory / f"{index.published}.faiss"
        extend(job.base.path if job.base else None, np.concatenate([*job.added_vectors()]), output)
        index.publish(namespace_key, job, HnswSegment.read(job.rows(), output))
    return index


def _state(row: int, vector: Matrix, revision: int = 1) -> DocumentState:
    return DocumentState(
        document_key=row, namespace_key=_NAMESPACE, revision=revision, text_revision=1, vector=vector,
        metadata={"few": row % 7, "many": row},
    )  # fmt: skip


def _row(vectors: Matrix, queries: Matrix) -> Figure:
    size, dimension = vectors.shape
    table = RowTable(vectors, np.arange(size), np.ones(size, np.int32))
    rows = LiveRows(np.ones(size, np.int64), 0, size)
    spent = _median(queries, lambda query: scan(table, rows, query, 10))
    return Figure(
        f"a row of {dimension} numbers, fresh",
        spent / size,
        "us",
        note=f"taken for {search_costs.scan_microseconds(size, dimension) / size:.3f}; {size:,} rows",
    )


def _exact(index: VersionIndex, queries: Matrix) -> Figure:
    documents = index.tally()[0]
    spent = _searches(index, queries, _spec(exact=True))
    return Figure(f"a row of {DIMENSION} numbers, in a graph", spent / documents, "us")


def _candidate(index: VersionIndex, queries: Matrix) -> Figure:
    few, many = (_searches(index, queries, _spec(ef_search=ef)) for ef in _EF)
    cost = (many - few) / (_EF[1] - _EF[0])
    taken = search_costs.walk_microseconds(1, DIMENSION)
    return Figure("a candidate of a walk", cost, "us", note=f"taken for {taken:.2f}; ef {_EF[0]}: {few / 1_000:.2f} ms")


def _filters(index: VersionIndex, queries: Matrix) -> list[Figure]:
    documents, walk = index.tally()[0], _searches(index, queries, _spec())
    node, figures = Not(Condition("few", "eq", 9)), []
    filters: list[tuple[str, Filter]] = [("one condition", node), ("four conditions", And((node,) * 4))]
    for name, filter_ in filters:
        spent = _searches(index, queries, _spec(filter=to_wire(filter_))) - walk
        taken = search_costs.filter_microseconds(documents, len(filter_.parts) if isinstance(filter_, And) else 1)
        figures.append(
            Figure(f"a document under {name}", spent / documents, "us", note=f"taken for {taken / documents:.3f}")
        )
    return figures


def _hit(index: VersionIndex, queries: Matrix) -> Figure:
    few, many = (_searches(index, queries, _spec(top_k=top_k, ef_search=2 * _TOP_K[1])) for top_k in _TOP_K)
    cost = (many - few) / (_TOP_K[1] - _TOP_K[0])
    return Figure("a hit", cost, "us", note=f"taken for {search_costs.hits_microseconds(1):.2f}")


def _spec(
    *,
    top_k: int = 10,
    ef_search: int = 100,
    exact: bool = False,
    filter: str = "",  # noqa: A002
) -> SearchSpec:
    return SearchSpec(top_k=top_k, ef_search=ef_search, exact=exact, filter=filter)


def _searches(index: VersionIndex, queries: Matrix, spec: SearchSpec) -> float:
    """Microseconds of a search. A write precedes each, so that no selection of rows is remembered."""

    def write() -> None:
        index.apply([_state(0, queries[0], next(_revisions))], 0.0)

    return _median(queries, lambda query: index.search(_NAMESPACE, query, spec), write)


def _median(queries: Matrix, search: Callable[[Matrix], object], before: Callable[[], None] = lambda: None) -> float:
    spent = []
    for query in queries:
        before()
        began = time.thread_time()
        search(query[np.newaxis])
        spent.append(1_000_000 * (time.thread_time() - began))
    return float(np.median(spent))
