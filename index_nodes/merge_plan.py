"""Which segments the next build joins: few, large graphs, without inserting old rows again and again."""

from collections.abc import Sequence
from dataclasses import dataclass

ABSORB_FACTOR = 8
"""A build absorbs a graph of at most so many times the rows that it gathered before."""
MAX_DEAD_SHARE = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentSize:
    serial: int
    rows: int
    live: int
    is_graph: bool

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


def plan_merge(segments: Sequence[SegmentSize]) -> MergePlan | None:
    """1. Take all sealed flat segments. 2. Add graphs, smallest first, while they are not much larger than all segments
    taken so far. 3. Extend the largest of these graphs, unless too many of its rows are dead. Without flat segments,
    rebuild a graph worn by deletes. None when no segment needs a build."""
    flats = [segment for segment in segments if not segment.is_graph]
    graphs = sorted((segment for segment in segments if segment.is_graph), key=lambda segment: segment.rows)
    if not flats:
        worn = next((graph for graph in graphs if graph.worn), None)
        return MergePlan(absorbed=(worn.serial,), base=None, inserted=worn.live) if worn else None
    gathered = sum(flat.live for flat in flats)
    joined = []
    for graph in graphs:
        if graph.rows > ABSORB_FACTOR * gathered:
            break
        joined.append(graph)
        gathered += graph.live
    base = joined[-1] if joined and not joined[-1].worn else None
    return MergePlan(
        absorbed=tuple(segment.serial for segment in (*flats, *joined)),
        base=base.serial if base else None,
        inserted=gathered - base.live if base else gathered,
    )
