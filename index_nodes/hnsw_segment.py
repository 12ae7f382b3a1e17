"""An immutable HNSW graph over inner products, and the rules that keep its answers right.

This file avoids two traps of Faiss. Search parameters have an efSearch of their own, 16, which hides that of the index.
A walk with a selector finds rows that pass, but only a third of the best ones when no row near the query passes
(measured). So a walk asks for the nearest rows, drops those that do not pass, and when too few are left walks further,
and at last scans rows.
"""

import math
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from embedding_project.contracts.search_costs import codes_microseconds, scan_microseconds
from embedding_project.contracts.vectors import Vector
from index_nodes.coarse_codes import CoarseCodes
from index_nodes.effort import ANY_EFFORT, Effort
from index_nodes.graph_storage import RoundedVectors, read_graph, vectors_of
from index_nodes.narrowed_scan import narrowed_scan
from index_nodes.row_bits import RowNumbers
from index_nodes.rows import SegmentRows
from index_nodes.scan import TIE_MARGIN, Candidates, RowTable, SearchSpec, scan, settled
from index_nodes.selections import Selection
from index_nodes.snapshot_files import sha256_of

MAX_RAISED_EF = 1_500
_FIRST_LOOK = 0.4
"""Of `ef_search`: how many passing rows a first walk should see. Measured on 60,000 x 384 under a filter that passes a
tenth at random: 2.9 ms instead of 6.2, recall@10 0.993 instead of 0.999."""
_SCANNED_ROWS_PER_EF = 18
"""Measured on 30,000 x 384: one unit of ef costs as much as scanning 18 rows (1.35 us against 0.075 us)."""
_SCAN_ROOT_FACTOR = 25
_CODES_PER_EF = 125
"""One unit of ef costs as much as comparing so many rows by their codes (500,000 x 384, 5.5 us against 0.04 us)."""
_IN_VAIN, _IN_VAIN_LOOKED = 2, 3
"""Codes may cost so many times a walk, since a walk is in vain where no row near the query passes; so many times before
the search looks whether that is so."""
MANY_CODES = 32_768
"""Before more rows are compared, which costs more than a search without a filter, the search looks at what passes near
the query: there a walk finds much or little, whatever share of all rows passes."""
_LOOK = 50
_LEAST_SHARE = 1e-6
"""In place of none."""
_FEW_CODES = 1_024
"""So few rows are compared by their vectors at once."""
TIES_SCANNED_ROWS = 131_072
"""At most so many rows are scanned for more scores equal to the last one of a walk: about 10 ms."""
_MANY_TIES = 256
"""In real texts, three queries in a hundred have more equal scores at their end than `_SPARE_ROWS`. With so many rows
they cost two walks; each such query had cost a scan of the graph, 10 to 20 ms for 30,000 rows."""
_SPARE_ROWS = 8
"""How many rows more than top_k a search asks for, to see that the last hit is better than the next row."""
_FEW_QUERIES = 2
"""Up to so many queries Faiss scans rows in place; for more, a copy of the rows and a matrix product are faster."""
_FEW_ROUNDED_QUERIES = 8
"""The same for rounded vectors, of which a matrix product needs float32. Measured on 40,000 x 384, one query: two
bytes a number 0.11 us a row instead of 0.62, one byte 0.09 instead of 0.27; with 16 queries one byte is slower."""
_ROUNDED_PIECE = 8_192
"""Rows of rounded vectors that are copied to be compared: so many stay in the cache."""
_PIECE_NUMBERS = 65_536 * 384
"""Numbers of rows that Faiss scans in one call, about 10 ms: between two calls a search can be left."""


def search_one_thread_each() -> None:
    """Let Faiss search in the calling thread alone: a node shares its machine, and has search threads of its own. Faiss
    keeps this number for each thread that calls it."""
    faiss.omp_set_num_threads(1)


def raised_ef(ef_search: int, top_k: int, matching: int, total: int) -> int:
    """The ef with which a walk visits about `ef_search` matching rows: Faiss counts all rows, matching or not."""
    ef = max(ef_search, top_k)
    return max(ef, min(MAX_RAISED_EF, math.ceil(ef * total / matching)))


def rows_worth_a_scan(matching: int, total: int, ef: int) -> float:
    """How many matching rows a scan can read for the cost of a walk with `ef` through a graph of `total` rows."""
    if matching == total:
        return _SCANNED_ROWS_PER_EF * ef
    return max(_SCANNED_ROWS_PER_EF * ef, _SCAN_ROOT_FACTOR * math.sqrt(total))


class HnswSegment:
    is_graph = True

    def __init__(
        self,
        rows: SegmentRows,
        graph: faiss.IndexHNSW,
        path: Path,
        many_codes: int = MANY_CODES,
        ties_scanned_rows: int = TIES_SCANNED_ROWS,
    ) -> None:
        self.serial = 0
        """The collection sets it when it publishes the segment."""
        self.rows = rows
        self.path = path
        """The file of the graph. A later build extends it, and snapshots link to it."""
        self.sha256 = ""
        """Of that file when it was read."""
        self._graph = graph
        self._held = faiss.downcast_index(graph.storage)
        # The graph never changes, and lives as long as this segment.
        self.vectors = vectors_of(graph)
        self._many_codes = many_codes
        self._ties_scanned_rows = ties_scanned_rows
        self._coarse = CoarseCodes.worthwhile(self.vectors)
        self._few_queries = _FEW_ROUNDED_QUERIES if isinstance(self.vectors, RoundedVectors) else _FEW_QUERIES

    @classmethod
    def read(cls, rows: SegmentRows, path: Path, sha256: str | None = None) -> "HnswSegment":
        """`sha256`: of the file, when it is known. Raises RuntimeError when the file is damaged, and ValueError when it
        does not hold `rows`."""
        graph = read_graph(path)
        if graph.ntotal != rows.count:
            raise ValueError("the file does not hold the rows from which it was built")
        segment = cls(rows, graph, path)
        segment.sha256 = sha256 or sha256_of(path)
        return segment

    def search(
        self, queries: Vector, table: RowTable, selection: Selection, spec: SearchSpec, effort: Effort = ANY_EFFORT
    ) -> Candidates:
        """min(top_k, matching rows) rows for each query, always. Reads nothing that writes change. Raises TooHeavy when
        that takes a scan which `effort` does not allow, and Overdue."""
        top_k = min(spec.top_k, selection.count)
        wide = min(top_k + _SPARE_ROWS, selection.count)
        # With a filter, the walk should see twice as many passing rows as needed, so that it seldom finds too few.
        seen = wide if selection.whole else 2 * wide
        widest = raised_ef(spec.ef_search, seen, selection.count, selection.total)
        first_look = math.ceil(_FIRST_LOOK * spec.ef_search)
        ef = max(spec.ef_search, raised_ef(first_look, seen, selection.count, selection.total))
        worth = spec.scan_factor * rows_worth_a_scan(selection.count, selection.total, ef)
        coarse = None if spec.exact or not self._codes_pay(selection, spec.scan_factor * ef) else self._coarse
        if coarse and selection.count > self._many_codes:
            needed = max(first_look, seen) / self._share_near(queries, selection)
            if selection.count > spec.scan_factor * _CODES_PER_EF * needed:
                coarse, worth, ef = None, 0.0, max(spec.ef_search, math.ceil(min(needed, MAX_RAISED_EF)))
        if coarse:
            return self._scan_coarsely(coarse, queries, table, selection, top_k, effort)
        scanned = spec.exact or selection.count <= worth
        if scanned and len(queries) > self._few_queries:
            return scan(table, selection, queries, top_k, effort)
        if scanned:
            found = self._scan(queries, selection, wide, effort)
        else:
            found = self._walk(queries, selection, wide, ef)
            self._look_further(found, table, queries, selection, widest if widest > ef else None, effort)
        best = settled(table, queries, found, wide)
        last, beyond = best.scores[:, top_k - 1], best.scores[:, -1]
        best = Candidates(best.scores[:, :top_k], best.rows[:, :top_k])
        tied = np.flatnonzero((beyond >= last - TIE_MARGIN) & (wide < selection.count))
        if len(tied) and scanned:
            best.scores[tied], best.rows[tied] = scan(table, selection, queries[tied], top_k, effort)
        elif len(tied):
            known = Candidates(best.scores[tied], best.rows[tied])
            best.scores[tied], best.rows[tied] = self._among_ties(known, table, queries[tied], selection, ef)
        return best

    def _codes_pay(self, selection: Selection, ef: float) -> bool:
        """Whether comparing codes may cost less than the vectors, and than a walk with `ef` or one that is in vain."""
        in_vain = _IN_VAIN if selection.count <= self._many_codes else _IN_VAIN_LOOKED
        return _FEW_CODES < selection.count <= min(in_vain * _CODES_PER_EF * ef, selection.total // 2)

    def _share_near(self, queries: Vector, selection: Selection) -> float:
        """What share of the rows near the queries passes."""
        parameters = faiss.SearchParametersHNSW(efSearch=_LOOK, bounded_queue=True)  # type: ignore[attr-defined]
        rows = self._graph.search(queries, _LOOK, params=parameters)[1]
        return max(float(np.mean(selection.has(rows))), _LEAST_SHARE)

    def _scan_coarsely(
        self, coarse: CoarseCodes, queries: Vector, table: RowTable, selection: Selection, top_k: int, effort: Effort
    ) -> Candidates:
        """By the codes of all selected rows, and the vectors of those that seem near."""
        effort.afford(codes_microseconds(selection.count, queries.shape[1]))
        found = narrowed_scan(coarse, table, selection.rows(), queries, top_k, effort)
        tied = np.flatnonzero(found.tied)
        if len(tied) and selection.count <= self._ties_scanned_rows:
            found.best.scores[tied], found.best.rows[tied] = scan(table, selection, queries[tied], top_k, effort)
        return found.best

    def _among_ties(
        self, known: Candidates, table: RowTable, queries: Vector, selection: Selection, ef: int
    ) -> Candidates:
        """The best rows of queries for which more rows are as good as the last of those `known`: those of equal score
        by document key. A walk that looks at many more rows sees all of them, if they are not very many."""
        top_k = known.rows.shape[1]
        many = min(max(_MANY_TIES, 2 * top_k), selection.count)
        found = settled(table, queries, self._walk(queries, selection, many, max(ef, many)), many)
        last = found.scores[:, top_k - 1 : top_k]
        best = _no_worse(known, Candidates(found.scores[:, :top_k], found.rows[:, :top_k]))
        equal = (found.scores >= last - TIE_MARGIN) & (found.scores <= last + TIE_MARGIN)
        # A walk gets lost among very many equal rows.
        lost = (np.count_nonzero(equal, axis=1) > _MANY_TIES // 4) | np.isneginf(found.scores[:, -1])
        tied = np.flatnonzero(lost & (many < selection.count))
        if len(tied) and selection.count <= self._ties_scanned_rows:
            best.scores[tied], best.rows[tied] = scan(table, selection, queries[tied], top_k)
        elif len(tied):
            further = self._walk(queries[tied], selection, max(many, MAX_RAISED_EF), ef)
            sure = Candidates(best.scores[tied], best.rows[tied])
            best.scores[tied], best.rows[tied] = _no_worse(sure, settled(table, queries[tied], further, top_k))
        return best

    def _look_further(
        self, found: Candidates, table: RowTable, queries: Vector, selection: Selection, ef: int | None, effort: Effort
    ) -> None:
        """Fill up the lines of `found` that have too few rows: by a walk with `ef`, then by a scan. Codes make the walk
        needless, unless most rows pass: it nearly always finds them, and codes of so many take longer."""
        wide = found.rows.shape[1]
        short = np.flatnonzero(np.isneginf(found.scores[:, -1]))
        if ef and len(short) and (not self._coarse or 2 * selection.count > selection.total):
            found.scores[short], found.rows[short] = self._walk(queries[short], selection, wide, ef)
            short = np.flatnonzero(np.isneginf(found.scores[:, -1]))
        if len(short) and self._coarse:
            further = self._scan_coarsely(self._coarse, queries[short], table, selection, wide, effort)
            found.scores[short], found.rows[short] = further
            return
        if len(short):
            effort.afford(scan_microseconds(selection.count, queries.shape[1]))
        if 0 < len(short) <= self._few_queries:
            found.scores[short], found.rows[short] = self._scan(queries[short], selection, wide, effort)
        elif len(short):
            found.scores[short], found.rows[short] = scan(table, selection, queries[short], wide, effort)

    def _walk(self, queries: Vector, selection: Selection, top_k: int, ef: int) -> Candidates:
        ef = min(max(ef, top_k), selection.total)
        parameters = faiss.SearchParametersHNSW(efSearch=ef, bounded_queue=True)  # type: ignore[attr-defined]
        if selection.whole:
            return _found(*self._graph.search(queries, top_k, params=parameters))
        seen = _found(*self._graph.search(queries, ef, params=parameters))
        seen.scores[~selection.has(seen.rows)] = -np.inf
        return seen.at(np.argsort(-seen.scores, axis=1, kind="stable")[:, :top_k])

    def _scan(self, queries: Vector, selection: Selection, top_k: int, effort: Effort) -> Candidates:
        rows = None if selection.whole else selection.rows()
        best = Candidates(np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.int64))
        rounded = self.vectors if isinstance(self.vectors, RoundedVectors) else None
        piece = _ROUNDED_PIECE if rounded else max(_PIECE_NUMBERS // queries.shape[1], 1)
        for start in range(0, selection.count, piece):
            if start:
                effort.go_on()
            picked = slice(start, min(start + piece, selection.count)) if rows is None else rows[start : start + piece]
            found = _copied(rounded, picked, queries, top_k) if rounded else self._in_place(picked, queries, top_k)
            best = best.beside(found)
            best = best.at(np.argsort(-best.scores, axis=1, kind="stable")[:, :top_k])
        return best

    def _in_place(self, picked: slice | RowNumbers, queries: Vector, top_k: int) -> Candidates:
        parameters = faiss.SearchParameters()
        if isinstance(picked, slice):
            parameters.sel = faiss.IDSelectorRange(picked.start, picked.stop)
        else:
            parameters.sel = faiss.IDSelectorArray(picked)
        return _found(*self._held.search(queries, top_k, params=parameters))


def _no_worse(known: Candidates, walked: Candidates) -> Candidates:
    """What a walk found in place of what is known, but for lines where it missed rows: it does not see those that lie
    far from the query, among others that do not pass."""
    missed = (walked.scores < known.scores).any(axis=1, keepdims=True)
    return Candidates(np.where(missed, known.scores, walked.scores), np.where(missed, known.rows, walked.rows))


def _copied(vectors: RoundedVectors, picked: slice | RowNumbers, queries: Vector, top_k: int) -> Candidates:
    found = _found(*vectors.part(picked).search(queries, top_k))
    missing = found.rows < 0
    rows = found.rows + picked.start if isinstance(picked, slice) else picked[np.where(missing, 0, found.rows)]
    return Candidates(found.scores, np.where(missing, -1, rows))


def _found(scores: NDArray[np.float32], rows: NDArray[np.int64]) -> Candidates:
    # Where Faiss found no row, it gives row -1 and its lowest number as score.
    return Candidates(np.where(rows < 0, -np.inf, scores).astype(np.float32), rows)
