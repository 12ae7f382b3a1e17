"""The documents of one namespace under one model version: slots, metadata, and the segments that hold their vectors.

Not thread-safe: its `VersionIndex` holds the lock. Searches use views, which need no lock. A namespace has segments of
its own, so other namespaces cost it neither time nor recall, and a search of a small namespace is exact.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from embedding_project.contracts.filters import condition_count, from_wire
from embedding_project.contracts.metadata import flatten
from embedding_project.contracts.search_costs import filter_microseconds
from embedding_project.contracts.vectors import Vector
from index_nodes.adoption import Adoption
from index_nodes.build_agenda import NOT_BY_TIME, NextStep
from index_nodes.collection_state import CollectionState
from index_nodes.collection_view import CollectionView, SegmentView
from index_nodes.columns import Columns
from index_nodes.counting import SlotValues
from index_nodes.effort import Effort
from index_nodes.filtered_view import FilteredView
from index_nodes.flat_segment import FlatSegment
from index_nodes.hnsw_segment import HnswSegment
from index_nodes.kept_views import KeptViews
from index_nodes.merge_job import MergeJob, MergeSource, Segment
from index_nodes.merge_plan import MergePlan, SegmentSize, plan_merge
from index_nodes.postings import Slots
from index_nodes.row_bits import Mask
from index_nodes.seal_rule import SealRule
from index_nodes.segment_states import captured_segment, check_restored, count_documents, restored_segment
from index_nodes.selections import Selection
from index_nodes.slots import SlotTable, StateNumber
from index_nodes.tally import Tally

_MAX_BUILD_REST_SECONDS = 60.0
OUTLIVED_SECONDS = 600.0
"""An empty collection is kept so long for its tombstones: an old state that comes late at all comes sooner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentState:
    """The current state of a document, from the log or from the table."""

    document_key: int
    namespace_key: int
    revision: int
    text_revision: int
    """Revision of the text from which the vector was made; 0 without a vector."""
    vector: Vector | None
    """Unit length; None when the document is deleted or not embedded under this version."""
    metadata: Mapping[str, Any]


class Collection:
    def __init__(
        self, dimension: int, tally: Tally, seal_rule: SealRule, most_graph_rows: Callable[[], int], tombstones: int
    ) -> None:
        self.dimension = dimension
        self._most_graph_rows = most_graph_rows
        self._tally = Tally(tally)
        self._seal_rule = seal_rule
        self._slots = SlotTable(tombstones)
        self._columns = Columns(self._slots.capacity)
        self._segments: tuple[Segment, ...] = ()
        self._by_serial: dict[int, Segment] = {}
        self._fresh: FlatSegment | None = None
        self._changed_at = 0.0
        """When the fresh segment got its last row."""
        self._touched_at = 0.0
        """When a state was last taken over."""
        self._next_serial = 0
        self._next_stamp = 0
        self._moment = 0
        """Counts the changes."""
        self._building: set[int] = set()
        """Serials of the segments that builds in progress replace."""
        self._adopting = 0
        """Adoptions that have begun."""
        self._failed_builds = 0
        """Since the last build that succeeded."""
        self._build_at = 0.0
        self._views = KeptViews()

    @property
    def segments(self) -> tuple[Segment, ...]:
        return self._segments

    @property
    def documents(self) -> int:
        """Live ones."""
        return self._tally.documents

    @property
    def unbuilt(self) -> int:
        """Live documents in no graph, which every search of the namespace compares one by one."""
        return self._tally.documents - self._tally.graph_documents

    def apply(self, state: DocumentState, now: float) -> None:
        """Take over the state of one document, unless the known state is as new. Raises ValueError on a bad vector."""
        number = StateNumber(state.revision, state.text_revision)
        slot = self._slots.find(state.document_key)
        known = self._slots.known(state.document_key, slot)
        if known is not None and number <= known:
            return
        if state.vector is not None and state.vector.shape != (self.dimension,):
            raise ValueError("the vector has another dimension than its model version")
        self._moment += 1
        self._views.end_moment()
        self._touched_at = now
        if slot is not None and known is not None:
            self._tally.forget(state.document_key, known.revision, known.text_revision)
        if state.vector is None:
            self._delete(slot, state.document_key, number)
            return
        if slot is None:
            slot = self._slots.add(state.document_key)
            if self._slots.capacity > self._columns.capacity:
                self._columns.grow(self._slots.capacity)
        if self._slots.stamps.item(slot) < 0 or self._slots.text_revisions.item(slot) != state.text_revision:
            self._replace_vector(slot, state.document_key, state.vector, state.text_revision, now)
        self._slots.revisions[slot] = state.revision
        self._slots.text_revisions[slot] = state.text_revision
        self._columns.set_row(slot, flatten(state.metadata))
        self._views.note_change(slot)
        self._tally.count(state.document_key, state.revision, state.text_revision)

    def view(self, wire: str, effort: Effort, tested_at_once: int) -> CollectionView | FilteredView:
        """What a search may return now: the live documents that pass the filter `wire`, all when it is empty. When more
        than `tested_at_once` documents must be tested on it, the view is only begun. Raises TooHeavy."""
        view = self._views.now(wire, self._segments, self._columns, self._slots)
        if view is not None:
            return view
        if not wire:
            return self._viewed(wire, [segment.rows.live_selection(self._moment) for segment in self._segments])
        node, count = from_wire(wire), self._slots.count
        slots = self._columns.few(node, count)
        if slots is not None:
            return self._viewed(wire, self._picked(slots))
        effort.afford(filter_microseconds(count, condition_count(node)))
        position = self._views.begin()
        if count > tested_at_once:
            return FilteredView(node, self._segments, self._columns, self._slots, self._moment, position)
        mask = self._columns.mask(node, count)
        view = self._viewed(wire, [segment.rows.selection(mask) for segment in self._segments])
        self.keep(wire, view, position)
        return view

    def values_at(self, path: str) -> SlotValues:
        """What the documents have at a dotted path now."""
        return SlotValues.of(self._columns, self._slots, path)

    def keep(self, wire: str, view: CollectionView, position: int) -> None:
        """Keep a view that was begun at a position among the changes, for further searches."""
        self._views.keep(wire, view, position)

    def next_step(self, now: float) -> NextStep:
        """Close the fresh segment if it is time, and say whether a build is due."""
        self._seal_if_due(now)
        if now < self._build_at:
            return NextStep(rows=None, again_at=self._build_at)
        plan = self._plan(now)
        times = [NOT_BY_TIME]
        quiet_at = self._changed_at + self._seal_rule.quiet_seconds
        if now < quiet_at and self._has_work_when_quiet():
            times.append(quiet_at)
        if not self._tally.documents:
            times.append(self._touched_at + OUTLIVED_SECONDS)
        return NextStep(rows=plan.inserted if plan else None, again_at=min(times))

    def outlived(self, now: float) -> bool:
        """Whether the collection has been empty for so long that nobody needs it."""
        busy = self._building or self._adopting
        return not self._tally.documents and not busy and now - self._touched_at >= OUTLIVED_SECONDS

    def dissolve(self) -> tuple[Segment, ...]:
        """Take the collection out of the totals; gives the segments that it had."""
        graphs = sum(segment.is_graph for segment in self._segments)
        self._tally.count_segments(flat=graphs - len(self._segments), graph=-graphs)
        return self._segments

    def note_failed_build(self, job: MergeJob, now: float) -> None:
        """Plan no build for a second, or for twice as long as after the previous failure."""
        self._building -= set(job.plan.absorbed)
        self._build_at = now + min(2.0**self._failed_builds, _MAX_BUILD_REST_SECONDS)
        self._failed_builds += 1

    def begin_build(self, now: float) -> MergeJob | None:
        """The next build that this collection needs; None when it needs none, and while it rests after a failure. Later
        builds leave its segments alone until it has been published or has failed."""
        plan = self._plan(now) if now >= self._build_at else None
        if plan is None:
            return None
        base = self._by_serial[plan.base] if plan.base is not None else None
        if not isinstance(base, HnswSegment) or self._failed_builds:
            # The file of the base may be the cause of the failure; its vectors are in memory.
            base = None
        self._building |= set(plan.absorbed)
        sources = [segment for serial in plan.absorbed if (segment := self._by_serial[serial]) is not base]
        return MergeJob(
            plan=plan,
            base=base,
            sources=tuple(
                MergeSource(segment=source, vectors=source.vectors, picked=np.flatnonzero(source.rows.live))
                for source in sources
            ),
        )

    def publish(self, job: MergeJob, built: HnswSegment | None) -> None:
        """Replace the segments of `job` by `built`, which has the rows `job.rows()`; only remove them without rows."""
        self._change_segments()
        gone = set(job.plan.absorbed)
        self._building -= gone
        kept = tuple(segment for segment in self._segments if segment.serial not in gone)
        for serial in gone:
            segment = self._by_serial.pop(serial)
            self._count_segment(segment, -1)
            if segment.is_graph:
                self._tally.count_in_graphs(-segment.rows.live_count)
        self._segments = kept
        if built:
            self._add_segment(built)
        self._failed_builds = 0

    def make_room(self, documents: int) -> tuple[int, int]:
        """For documents that were built elsewhere, whose adoption begins: the first of their slots and stamps."""
        first_slot, first_stamp = self._slots.reserve(documents), self._next_stamp
        self._next_stamp += documents
        if self._slots.capacity > self._columns.capacity:
            self._columns.grow(self._slots.capacity)
        self._adopting += 1
        return first_slot, first_stamp

    def adopt_fields(self, adoption: Adoption, piece: slice) -> None:
        self._columns.adopt(adoption.first_slot, piece, adoption.columns, adoption.known_codes)

    def name_adopted(self, adoption: Adoption) -> Mask:
        """Look which rows show the newest state of their document, and let these be found by their ids. Needs no lock:
        only the thread that applies changes and adopts reads and writes what this does."""
        unknown = adoption.unknown(self._slots.known_among(adoption.document_keys))
        if unknown.any():
            self._slots.name_all(adoption.document_keys[unknown], adoption.segment.rows.slots[unknown])
        return unknown

    def finish_adoption(self, adoption: Adoption, unknown: Mask, digest: int, now: float) -> None:
        """Let searches see the documents. `digest`: of those that were unknown."""
        self._change_segments()
        self._touched_at = now
        self._adopting -= 1
        rows = adoption.segment.rows
        self._slots.fill(rows.slots[unknown], rows.document_keys[unknown], rows.stamps[unknown])
        self._tally.add(int(np.count_nonzero(unknown)), digest)
        self._add_segment(adoption.segment)

    def abandon_adoption(self) -> None:
        """After its slots were given back."""
        self._adopting -= 1

    def give_back(self, slots: Slots) -> None:
        """Let other documents have slots that an adoption does not need."""
        for slot in slots.tolist():
            self._columns.set_row(slot, {})
        self._slots.give_back(slots)

    def capture(self) -> CollectionState:
        """The whole state. Arrays that may change are copied; vectors and rows of segments only grow at their end."""
        return CollectionState(
            slots=self._slots.capture(),
            columns=self._columns.capture(self._slots.count),
            segments=tuple(map(captured_segment, self._segments)),
            fresh=self._fresh.serial if self._fresh else None,
            next_serial=self._next_serial,
            next_stamp=self._next_stamp,
            documents=self._tally.documents,
            digest=self._tally.digest,
        )

    def restore(self, state: CollectionState) -> None:
        """Fill an empty collection. Raises ValueError when parts of the state contradict one another, and RuntimeError
        when Faiss cannot read a graph."""
        self._slots.restore(state.slots)
        self._columns.grow(self._slots.capacity)
        self._columns.restore(state.columns)
        for segment in (restored_segment(one, self._slots, self.dimension) for one in state.segments):
            self._by_serial[segment.serial] = segment
            self._segments = (*self._segments, segment)
            self._count_segment(segment, 1)
            self._revive(segment)
            if segment.serial == state.fresh and isinstance(segment, FlatSegment):
                self._fresh = segment
        self._next_serial, self._next_stamp = state.next_serial, state.next_stamp
        count_documents(self._slots, self._tally)
        check_restored(state, self._segments, self._slots, self._tally)
        if state.fresh is not None and self._fresh is None:
            raise ValueError("the fresh segment is missing")

    def _add_segment(self, built: HnswSegment) -> None:
        self._count_segment(built, 1)
        built.serial = self._take_serial()
        self._revive(built)
        self._by_serial[built.serial] = built
        self._segments = (built, *self._segments)

    def _change_segments(self) -> None:
        # Old views must not keep the memory of replaced graphs.
        self._moment += 1
        self._views.clear()

    def _revive(self, segment: Segment) -> None:
        # The stamps tell which documents were written or deleted during the build.
        rows = segment.rows
        current = self._slots.stamps[rows.slots] == rows.stamps
        rows.set_live(current)
        numbers = np.flatnonzero(current)
        slots = rows.slots[numbers]
        self._slots.segments[slots] = segment.serial
        self._slots.rows[slots] = numbers
        if segment.is_graph:
            self._tally.count_in_graphs(rows.live_count)

    def _seal_if_due(self, now: float) -> None:
        fresh, rule = self._fresh, self._seal_rule
        if fresh is None:
            return
        quiet = now - self._changed_at >= rule.quiet_seconds
        if fresh.rows.count >= rule.rows or (quiet and fresh.rows.count >= rule.quiet_rows):
            self._fresh = None

    def _has_work_when_quiet(self) -> bool:
        fresh = self._fresh
        return len(self._segments) > 1 or fresh is None or fresh.rows.count >= self._seal_rule.quiet_rows

    def _plan(self, now: float) -> MergePlan | None:
        sizes = [
            SegmentSize(
                serial=segment.serial, rows=segment.rows.count, live=segment.rows.live_count,
                is_graph=segment.is_graph, busy=segment.serial in self._building,
            )
            for segment in self._segments
            if segment is not self._fresh
        ]  # fmt: skip
        loading = now - self._changed_at < self._seal_rule.quiet_seconds
        return plan_merge(
            sizes, loading=loading, waiting_rows=self._seal_rule.waiting_rows, most_rows=self._most_graph_rows()
        )

    def _count_segment(self, segment: Segment, change: int) -> None:
        if segment.is_graph:
            self._tally.count_segments(graph=change)
        else:
            self._tally.count_segments(flat=change)

    def _delete(self, slot: int | None, document_key: int, number: StateNumber) -> None:
        if slot is not None:
            self._kill_row(slot)
            self._columns.set_row(slot, {})
            self._slots.remove(document_key)
        self._slots.bury(document_key, number)

    def _replace_vector(self, slot: int, document_key: int, vector: Vector, text_revision: int, now: float) -> None:
        if self._slots.stamps.item(slot) >= 0:
            self._kill_row(slot)
        if self._fresh is not None and self._fresh.rows.count >= self._seal_rule.rows:
            self._fresh = None
        if self._fresh is None:
            self._fresh = FlatSegment(self._take_serial(), self.dimension)
            self._by_serial[self._fresh.serial] = self._fresh
            self._segments = (*self._segments, self._fresh)
            self._count_segment(self._fresh, 1)
        stamp = self._next_stamp
        self._next_stamp += 1
        self._slots.rows[slot] = self._fresh.append(slot, stamp, vector, document_key, text_revision)
        self._slots.segments[slot] = self._fresh.serial
        self._slots.stamps[slot] = stamp
        self._changed_at = now

    def _kill_row(self, slot: int) -> None:
        segment = self._by_serial[int(self._slots.segments[slot])]
        row = int(self._slots.rows[slot])
        segment.rows.kill(row, self._moment)
        self._views.note_death(segment.serial, row)
        if segment.is_graph:
            self._tally.count_in_graphs(-1)

    def _take_serial(self) -> int:
        self._next_serial += 1
        return self._next_serial

    def _viewed(self, wire: str, selections: Sequence[Selection]) -> CollectionView:
        return self._views.show(wire, CollectionView(tuple(map(SegmentView.of, self._segments, selections))))

    def _picked(self, slots: Slots) -> Sequence[Selection]:
        """The rows of the documents in these slots, by segment."""
        serials, rows = self._slots.segments[slots], self._slots.rows[slots].astype(np.int64)
        return [segment.rows.picked(np.sort(rows[serials == segment.serial])) for segment in self._segments]
