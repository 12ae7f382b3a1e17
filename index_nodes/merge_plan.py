"""Which segments the next build joins: few, large graphs of a bounded size, without inserting old rows again and again.

A row is inserted once to leave its flat segment, and rarely again: a build extends one graph and leaves the others
alone. Graphs are joined later, when nobody writes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from embedding_project.contracts.limits import MOST_BUILT_AT_ONCE, MOST_WAITING_ROWS

ABSORB_FACTOR = 4
"""A build extends a graph of at most so many times the rows that it adds: to copy 50 rows costs as much as to insert
one."""
MAX_DEAD_SHARE = 0.2
MOST_GRAPH_ROWS = 2_097_152
"""A graph of 384 dimensions then takes 3.5 GB, and for the moment of a build as much again."""
MANY_GRAPHS = 16
"""Above this number, graphs are joined also while writes go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentSize:
    serial: int
    rows: int
    live: int
    is_graph: bool
    busy: bool = False
    """Whether a build that has begun replaces it."""

    @property
    def worn(self) -> bool:
        return self.rows - self.live > MAX_DEAD_SHARE * self.rows


@dataclass(frozen=True, slots=True, kw_only=True)
class MergePlan:
    absorbed: tuple[int, ...]
    """Serials of the segments that the new graph replaces."""
    base: int | None
    """Serial of the graph to extend; None to build from live rows only."""
    inserted: int
    """Rows to insert into a graph."""


def plan_merge(
    segments: Sequence[SegmentSize], *, loading: bool, waiting_rows: int, most_rows: int = MOST_GRAPH_ROWS
) -> MergePlan | None:
    """1. Bring sealed flat segments into a graph. 2. Rebuild a graph worn by deletes. 3. Join graphs of like sizes.
    None when no segment needs a build.

    `loading`: whether writes go on, so that it pays to wait for more rows; for `waiting_rows` at least. `most_rows`:
    what a new graph may have; but the rows of one flat segment always get into a graph."""
    graph_rows = sum(segment.rows for segment in segments if segment.is_graph)
    free = [segment for segment in segments if not segment.busy]
    flats = [segment for segment in free if not segment.is_graph]
    graphs = sorted((segment for segment in free if segment.is_graph), key=lambda segment: segment.rows)
    enough = max(waiting_rows, min(graph_rows, MOST_WAITING_ROWS)) if loading else 1
    if sum(flat.rows for flat in flats) >= enough:
        return _adding(flats, graphs, most_rows)
    if worn := next((graph for graph in graphs if graph.worn and graph.live <= most_rows), None):
        return MergePlan(absorbed=(worn.serial,), base=None, inserted=worn.live)
    growing = [graph for graph in graphs if graph.rows <= most_rows // 2]
    if loading and len(growing) <= MANY_GRAPHS:
        return None
    return next(_joinings(graphs, most_rows), None)


def _adding(flats: Sequence[SegmentSize], graphs: Sequence[SegmentSize], most_rows: int) -> MergePlan:
    taken: list[int] = []
    added = 0
    for flat in flats:
        if taken and added + flat.live > min(MOST_BUILT_AT_ONCE, most_rows):
            break
        taken.append(flat.serial)
        added += flat.live
    most = min(ABSORB_FACTOR * added, most_rows - added)
    base = next((graph.serial for graph in reversed(graphs) if graph.rows <= most and not graph.worn), None)
    return MergePlan(absorbed=(*taken, base) if base is not None else tuple(taken), base=base, inserted=added)


def _joinings(graphs: Sequence[SegmentSize], most_rows: int) -> Iterator[MergePlan]:
    """Each run of graphs, smallest first, of which none is much larger than those before it together."""
    for start in range(len(graphs)):
        joined, gathered = [graphs[start]], graphs[start].live
        for graph in graphs[start + 1 :]:
            if graph.rows > ABSORB_FACTOR * gathered or gathered + graph.rows > most_rows:
                break
            joined.append(graph)
            gathered += graph.live
        if len(joined) > 1:
            base = joined[-1]
            yield MergePlan(
                absorbed=tuple(graph.serial for graph in joined), base=base.serial, inserted=gathered - base.live
            )
