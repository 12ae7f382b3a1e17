"""Many rows of a graph, narrowed down by their codes to those whose vectors are compared with a query.

How far codes err is seen by the rows whose vectors are compared. Where a row that was left out may well be as near as
the last hit, more are compared.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from embedding_project.contracts.vectors import Vector
from index_nodes.coarse_codes import CoarseCodes
from index_nodes.effort import Effort
from index_nodes.row_bits import RowNumbers
from index_nodes.scan import TIE_MARGIN, Candidates, RowTable, settled

_COMPARED, _COMPARED_PER_HIT = 256, 5
"""How many vectors are compared, at least and for each hit;"""
_MORE = 5
"""so many times as many where these do not seem enough,"""
_ERRORS = 1.5
"""which is when the next row would be a hit if its code erred by so many standard deviations. With 50,000 of 500,000
real vectors x 384, more are compared for one search in fifty, and the recall of 10 hits is 0.995 to 1, of 100 hits
0.995."""
_SPARE_ROWS = 64
"""How many rows more than hits are put into order, to see whether more rows have the score of the last hit."""


class NarrowedScan(NamedTuple):
    best: Candidates
    tied: NDArray[np.bool_]
    """For each query whether so many rows are as near as its last hit that some of these may be missing."""


def narrowed_scan(
    coarse: CoarseCodes, table: RowTable, rows: RowNumbers, queries: Vector, top_k: int, effort: Effort
) -> NarrowedScan:
    """The `top_k` best of at least so many rows for each query, settled. Raises Overdue."""
    scores, found = np.empty((len(queries), top_k), np.float32), np.empty((len(queries), top_k), np.int64)
    best, tied = Candidates(scores, found), np.zeros(len(queries), np.bool_)
    first, left = max(_COMPARED, _COMPARED_PER_HIT * top_k), np.arange(len(queries))
    for count in (first, _MORE * first):
        near = coarse.nearest(queries[left], rows, count, effort)
        unsure = []
        for line, by_code, picked in zip(left.tolist(), near.scores, near.rows, strict=True):
            exact = table.vectors[picked] @ queries[line]
            nearest = np.argsort(-exact)[: top_k + _SPARE_ROWS]
            candidates = Candidates(exact[np.newaxis, nearest], picked[np.newaxis, nearest])
            order = settled(table, queries[line : line + 1], candidates, len(nearest))
            scores[line], found[line] = order.scores[0, :top_k], order.rows[0, :top_k]
            last = scores[line, -1]
            tied[line] = order.scores[0, -1] >= last - TIE_MARGIN and len(nearest) < len(rows)
            if len(picked) < len(rows) and by_code[-1] + _ERRORS * np.std(exact - by_code) > last:
                unsure.append(line)
        left = np.array(unsure, np.int64)
        if not unsure:
            break
    return NarrowedScan(best, tied)
