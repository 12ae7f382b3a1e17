"""An immutable HNSW graph over inner products, and the rules that keep its answers right.

Faiss traps this file answers for: search parameters carry their own efSearch of 16, which hides the index's; a walk
under a selector gives rows that pass, but a third of the best only when nothing near the query passes (measured). So a
walk asks for the nearest rows it saw and drops what may not be returned; when too few are left, rows are scanned.
"""

import math
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from embedding_project.contracts.vectors import Vector
from index_nodes.rows import SegmentRows, Selection
from index_nodes.scan import TIE_MARGIN, Candidates, Keys, RowTable, SearchSpec, scan, settled
from index_nodes.snapshot_files import sha256_of

GRAPH_NEIGHBOURS = 16
EF_CONSTRUCTION = 200
MAX_RAISED_EF = 1_500
_SCANNED_ROWS_PER_EF = 18
"""Measured on 30,000 x 384: one unit of ef costs as much as scanning 18 rows (1.35 us against 0.075 us)."""
_SCAN_ROOT_FACTOR = 25
TIES_SCANNED_ROWS = 131_072
"""When equal scores reach beyond what a walk gave, so many rows are scanned for all of them: about 10 ms."""
_SPARE_ROWS = 8
"""Asked for beyond top_k, to see that the last hit is better than what comes after it."""
_FEW_QUERIES = 2
"""Up to here Faiss scans rows in place; for more, one copy of the rows and a matrix product is faster."""


def new_graph(dimension: int) -> faiss.IndexHNSWFlat:
    graph = faiss.IndexHNSWFlat(dimension, GRAPH_NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction = EF_CONSTRUCTION
    return graph


def search_one_thread_each() -> None:
    """Faiss keeps a pool of threads per calling thread; a node has one searching thread and shares its machine."""
    faiss.omp_set_num_threads(1)


def raised_ef(ef_search: int, top_k: int, matching: int, total: int) -> int:
    """The ef under which about `ef_search` matching rows are visited: Faiss counts the others too."""
    ef = max(ef_search, top_k)
    return max(ef, min(MAX_RAISED_EF, math.ceil(ef * total / matching)))


def rows_worth_a_scan(matching: int, total: int, ef: int) -> float:
    """Up to how many `matching` rows a scan of them costs less than a walk of a graph of `total` rows with `ef`."""
    if matching == total:
        return _SCANNED_ROWS_PER_EF * ef
    return max(_SCANNED_ROWS_PER_EF * ef, _SCAN_ROOT_FACTOR * math.sqrt(total))


class HnswSegment:
    is_graph = True

    def __init__(self, rows: SegmentRows, graph: faiss.IndexHNSWFlat, path: Path) -> None:
        self.serial = 0
        """Given when the segment is published."""
        self.rows = rows
        self.path = path
        """The file the graph was read from, which a later build extends and snapshots link to."""
        self.sha256 = ""
        """Of that file, as it was when it was read."""
        self._graph = graph
        self._storage = faiss.downcast_index(graph.storage)
        count, dimension = graph.ntotal, graph.d
        # A view without a copy: the graph never changes and lives as long as this segment.
        pointer = self._storage.get_xb()  # type: ignore[attr-defined]
        self.vectors: Vector = faiss.rev_swig_ptr(pointer, count * dimension).reshape(count, dimension)

    @classmethod
    def read(cls, rows: SegmentRows, path: Path, sha256: str | None = None) -> "HnswSegment":
        """`sha256` when it is known already. Raises RuntimeError when the file is damaged, ValueError when it does not
        hold `rows`."""
        graph = faiss.read_index(str(path))
        if not isinstance(graph, faiss.IndexHNSWFlat) or graph.ntotal != rows.count:
            raise ValueError("the file does not hold the rows it was built for")
        segment = cls(rows, graph, path)
        segment.sha256 = sha256 or sha256_of(path)
        return segment

    def search(self, queries: Vector, selection: Selection, spec: SearchSpec, document_keys: Keys) -> Candidates:
        """min(top_k, matching rows) rows for each query, always. `document_keys` by slot."""
        table = RowTable(self.vectors, self.rows.slots, document_keys)
        top_k = min(spec.top_k, selection.count)
        wide = min(top_k + _SPARE_ROWS, selection.count)
        # Twice as many passing rows as are wanted should be seen, so that seldom too few are.
        ef = raised_ef(spec.ef_search, wide if selection.mask is None else 2 * wide, selection.count, self.rows.count)
        worth = spec.scan_factor * rows_worth_a_scan(selection.count, self.rows.count, ef)
        scanned = spec.exact or selection.count <= worth
        if scanned and len(queries) > _FEW_QUERIES:
            return scan(table, selection, queries, top_k)
        found = self._scan(queries, selection, wide) if scanned else self._walk(queries, selection, wide, ef)
        best = settled(table, queries, found, wide)
        last, beyond = best.scores[:, top_k - 1], best.scores[:, -1]
        best = Candidates(best.scores[:, :top_k], best.rows[:, :top_k])
        short, tied = np.isneginf(beyond), (beyond >= last - TIE_MARGIN) & (wide < selection.count)
        scannable = scanned or selection.count <= TIES_SCANNED_ROWS
        if len(again := np.flatnonzero(short | (tied & scannable))):
            best.scores[again], best.rows[again] = scan(table, selection, queries[again], top_k)
        if not scannable and len(again := np.flatnonzero(tied & ~short)):
            further = self._walk(queries[again], selection, max(wide, MAX_RAISED_EF), ef)
            best.scores[again], best.rows[again] = settled(table, queries[again], further, top_k)
        return best

    def _walk(self, queries: Vector, selection: Selection, top_k: int, ef: int) -> Candidates:
        ef = min(max(ef, top_k), self.rows.count)
        parameters = faiss.SearchParametersHNSW(efSearch=ef, bounded_queue=True)  # type: ignore[attr-defined]
        if selection.mask is None:
            return _found(*self._graph.search(queries, top_k, params=parameters))
        seen = _found(*self._graph.search(queries, ef, params=parameters))
        seen.scores[~selection.mask[seen.rows]] = -np.inf
        return seen.at(np.argsort(-seen.scores, axis=1, kind="stable")[:, :top_k])

    def _scan(self, queries: Vector, selection: Selection, top_k: int) -> Candidates:
        rows = selection.rows()
        parameters = faiss.SearchParameters()
        if rows is not None:
            parameters.sel = faiss.IDSelectorArray(rows)
        return _found(*self._storage.search(queries, top_k, params=parameters))


def _found(scores: NDArray[np.float32], rows: NDArray[np.int64]) -> Candidates:
    # Faiss fills up with its lowest number.
    return Candidates(np.where(rows < 0, -np.inf, scores).astype(np.float32), rows)
