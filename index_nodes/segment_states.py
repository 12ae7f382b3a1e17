"""A collection as plain arrays, and back: its segments, and what must hold afterwards."""

from collections.abc import Sequence

import numpy as np

from index_nodes.collection_state import CollectionState, GraphFile, SegmentState
from index_nodes.flat_segment import FlatSegment
from index_nodes.hnsw_segment import HnswSegment
from index_nodes.merge_job import Segment
from index_nodes.rows import SegmentRows
from index_nodes.slots import SlotTable
from index_nodes.tally import Tally, document_hash

_COUNTED_AT_ONCE = 16_384
"""Documents whose numbers are Python objects at the same time."""


def captured_segment(segment: Segment) -> SegmentState:
    graph = GraphFile(path=segment.path, sha256=segment.sha256) if isinstance(segment, HnswSegment) else None
    return SegmentState(
        serial=segment.serial,
        slots=segment.rows.slots,
        stamps=segment.rows.stamps,
        vectors=segment.vectors if isinstance(segment, FlatSegment) else None,
        graph=graph,
    )


def restored_segment(state: SegmentState, slots: SlotTable, dimension: int) -> Segment:
    """The segment with all its rows dead. Raises ValueError when parts of the state contradict one another, and
    RuntimeError when Faiss cannot read its graph."""
    if len(state.slots) and not (state.slots.min() >= 0 and state.slots.max() < slots.count):
        raise ValueError("a row belongs to no slot")
    # Where a row is dead, its slot may have another document now.
    keys, text_revisions = slots.document_keys[state.slots], slots.text_revisions[state.slots]
    rows = SegmentRows(state.slots, state.stamps, keys, text_revisions)
    if state.graph:
        graph = HnswSegment.read(rows, state.graph.path, state.graph.sha256)
        if graph.vectors.shape[1] != dimension:
            raise ValueError("a segment has another dimension")
        graph.serial = state.serial
        return graph
    if state.vectors is None or state.vectors.shape != (rows.count, dimension):
        raise ValueError("a segment does not have the vectors of its rows")
    return FlatSegment.restored(state.serial, rows, state.vectors)


def count_documents(slots: SlotTable, tally: Tally) -> None:
    """Count all documents of a table."""
    live = slots.live()
    columns = (slots.document_keys, slots.revisions, slots.text_revisions)
    for start in range(0, len(live), _COUNTED_AT_ONCE):
        part = live[start : start + _COUNTED_AT_ONCE]
        tally.add(len(part), sum(map(document_hash, *(column[part].tolist() for column in columns))))


def check_restored(state: CollectionState, segments: Sequence[Segment], slots: SlotTable, tally: Tally) -> None:
    """Raises ValueError unless each live document has exactly one live row, and counters and totals hold."""
    live_rows = [segment.rows.slots[segment.rows.live] for segment in segments]
    found = np.sort(np.concatenate([*live_rows, np.empty(0, np.int32)]))
    if not np.array_equal(found, slots.live()):
        raise ValueError("documents and rows differ")
    serials = [segment.serial for segment in segments]
    if len(set(serials)) != len(serials) or max(serials, default=0) > state.next_serial:
        raise ValueError("two segments have one serial")
    if slots.stamps.max() >= state.next_stamp:
        raise ValueError("the counters are behind")
    if (tally.documents, tally.digest) != (state.documents, state.digest):
        raise ValueError("the digest differs")
