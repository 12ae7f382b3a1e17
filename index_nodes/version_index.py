"""The index of one model version on one shard: a collection per namespace, behind one lock.

The search threads of the node search, the follower applies changes, the build thread plans and publishes. Each holds
the lock for milliseconds: a search only while it takes a view of its collection, changes come in short runs, and graphs
are built and read without the lock.
"""

import logging
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np

from embedding_project.contracts.census import Census, DocumentKeys
from embedding_project.contracts.hits import ShardHits
from embedding_project.contracts.vector_storage import VectorStorage
from embedding_project.contracts.vectors import Vector
from index_nodes.adoption import FIELDS_PIECE, Adoption, BuiltDocuments
from index_nodes.build_agenda import BuildAgenda
from index_nodes.build_lanes import ANY_SIZE, Lane
from index_nodes.collection import Collection, DocumentState
from index_nodes.collection_state import CollectionState
from index_nodes.collection_view import CollectionView, no_hits
from index_nodes.counting import count_documents, count_values
from index_nodes.effort import ANY_EFFORT, Effort
from index_nodes.filtered_view import FilteredView
from index_nodes.hnsw_segment import HnswSegment
from index_nodes.memory_plan import graph_row_bytes
from index_nodes.merge_job import MergeJob
from index_nodes.merge_plan import MOST_GRAPH_ROWS
from index_nodes.namespace_sizes import NamespaceSizes
from index_nodes.postings import Slots
from index_nodes.scan import SearchSpec
from index_nodes.seal_rule import SealRule
from index_nodes.slots import MAX_TOMBSTONES
from index_nodes.tally import Tally

APPLY_RUN = 16
"""How many states are applied before the lock is free again for a moment: half a millisecond. With 128, the median
search beside a busy follower took 5.7 ms instead of 2.2; the follower was no faster (20,000 x 384, 2 busy cores)."""
FILTER_PIECE = 65_536
"""Documents that are tested on a filter before the lock is free again: less than half a millisecond."""
FEW_UNBUILT = 256
"""Fewer documents in no graph are no backlog: they cost a search less than a tenth of a millisecond, and may stay."""
_BUILD_COPIES = 2
"""Of a new graph, until it has replaced its sources: that of the builder, and that of the node."""
_MEMORY = 0.8
"""How much a build counts in the pace after the next one."""
logger = logging.getLogger(__name__)


class FairLock:
    """A lock that a waiting thread gets before the thread that releases it and asks for it again at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next = threading.Lock()

    def __enter__(self) -> None:
        # A thread that waits for the lock holds `_next`, so that a later thread waits behind it.
        with self._next:
            self._lock.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()


class VersionIndex:
    def __init__(
        self,
        dimension: int,
        directory: Path,
        seal_rule: SealRule | None = None,
        agenda: BuildAgenda | None = None,
        free: Callable[[], int] | None = None,
        filter_piece: int = FILTER_PIECE,
        storage: VectorStorage = VectorStorage.FP32,
        most_tombstones: int = MAX_TOMBSTONES,
    ) -> None:
        """`free`: bytes of memory that a build may take; as many as it needs when left out. `filter_piece`: how many
        documents are tested on a filter before the lock is free again for a moment. `most_tombstones`: of a
        namespace."""
        self.dimension = dimension
        self.storage = storage
        """Of the vectors in graphs; the others are as they came."""
        self.directory = directory
        """Where the files of its graphs are; `close` removes it."""
        self._seal_rule = seal_rule or SealRule()
        self._lock = FairLock()
        self._tally = Tally()
        self._collections: dict[int, Collection] = {}
        self._agenda = agenda or BuildAgenda()
        self._free = free
        self._unbuilt: dict[int, int] = {}
        """Namespace -> documents that are in no graph, where they are many."""
        self._sizes = NamespaceSizes()
        self._built_rows = self._built_seconds = 0.0
        """Of the builds, the last one most of all."""
        self._filter_piece = filter_piece
        self._most_tombstones = most_tombstones
        self._closed = False
        self._published = 0
        directory.mkdir(parents=True)

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def published(self) -> int:
        """How often graphs have replaced segments."""
        return self._published

    @property
    def built_per_second(self) -> float:
        """Documents brought into graphs a second by the last builds, their waits for the machine included; 0 when
        unknown."""
        return self._built_rows / self._built_seconds if self._built_seconds else 0.0

    def note_built(self, rows: int, seconds: float) -> None:
        """Learn how long a build took, from when it was due."""
        self._built_rows = _MEMORY * self._built_rows + rows
        self._built_seconds = _MEMORY * self._built_seconds + seconds

    def backlog(self) -> int:
        """Documents in no graph, of the namespace that has the most of them; 0 when these are few."""
        with self._lock:
            return max(self._unbuilt.values(), default=0)

    def overdue(self) -> int:
        """Namespaces of which more documents are in no graph than builds wait for: a build is due, or under way."""
        with self._lock:
            many = [entry for entry in self._unbuilt.items() if entry[1] > self._seal_rule.waiting_rows]
            return sum(self._seal_rule.is_overdue(unbuilt, self._graph_rows(key)) for key, unbuilt in many)

    def tally(self) -> tuple[int, int, int]:
        """Live documents, how many of them are in graphs, and the digest, all of one moment."""
        with self._lock:
            return self._tally.documents, self._tally.graph_documents, self._tally.digest

    def namespace_sizes(self) -> str:
        """See `NamespaceSizes.to_json`."""
        with self._lock:
            return self._sizes.to_json()

    def apply(self, states: Sequence[DocumentState], now: float) -> None:
        """Take over the states. They may come in any order, and more than once."""
        for start in range(0, len(states), APPLY_RUN):
            with self._lock:
                for state in states[start : start + APPLY_RUN]:
                    self._collection(state.namespace_key).apply(state, now)
                    self._note_change(state.namespace_key)

    def search(
        self, namespace_key: int, queries: Vector, spec: SearchSpec, effort: Effort = ANY_EFFORT
    ) -> list[ShardHits]:
        """The hits of each query, best first. `queries` has shape (n, d). Raises ValueError for a wrong d; TooHeavy and
        Overdue as `effort` says."""
        if queries.shape[1] != self.dimension:
            raise ValueError("the queries have another dimension than the index")
        viewed = self._view(namespace_key, spec.filter, effort)
        return viewed[1].search(queries, spec, effort) if viewed else [no_hits() for _ in queries]

    def census(
        self, namespace_key: int, wire: str, path: str, others: DocumentKeys, effort: Effort = ANY_EFFORT
    ) -> Census | None:
        """The documents but `others` that pass the filter `wire`, and their values at `path` unless it is empty; None
        when these are too many. Raises TooHeavy and Overdue as `effort` says."""
        viewed = self._view(namespace_key, wire, effort)
        if not viewed:
            return Census(count=0, values={})
        collection, view = viewed
        if not path:
            return Census(count=count_documents(view, others), values={})
        with self._lock:
            values = collection.values_at(path)
        return count_values(view, values, others)

    def rows_due(self, now: float, lane: Lane = ANY_SIZE) -> int | None:
        """How many rows the next build of a lane would insert; None when no build is due."""
        with self._lock:
            keys = self._agenda.to_look_at(now)
        for key in keys:
            self._look(key, now)
        with self._lock:
            found = None if self._closed else self._agenda.next(lane)
        return found[1] if found else None

    def next_build(self, now: float, lane: Lane = ANY_SIZE) -> tuple[int, MergeJob] | None:
        """Begin the build of a lane that has the fewest rows to insert: its namespace and its job, whose segments no
        other build takes until `publish` or `note_failed_build`. None when no build is due."""
        if self.rows_due(now, lane) is None:
            return None
        with self._lock:
            found = self._agenda.next(lane)
            job = self._collections[found[0]].begin_build(now) if found and not self._closed else None
            if not found or not job:
                return None
            self._agenda.note(found[0], self._collections[found[0]].next_step(now))
            return found[0], job

    def note_failed_build(self, namespace_key: int, job: MergeJob, now: float) -> None:
        """Give the segments of the job free, and let the namespace rest before its next build."""
        with self._lock:
            if collection := self._collections.get(namespace_key):
                collection.note_failed_build(job, now)
                self._agenda.note_change(namespace_key)

    def publish(self, namespace_key: int, job: MergeJob, built: HnswSegment | None) -> None:
        """Put `built` in place of the segments from which it was made, and remove their files."""
        with self._lock:
            collection = self._collections.get(namespace_key)
            if self._closed or collection is None:
                return
            collection.publish(job, built)
            self._note_change(namespace_key)
            self._published += 1
        for segment in (job.base, *(source.segment for source in job.sources)):
            if isinstance(segment, HnswSegment):
                segment.path.unlink(missing_ok=True)

    def begin_adoption(self, namespace_key: int, built: BuiltDocuments) -> Adoption:
        """Make room for documents that were built elsewhere. Nobody sees them before `adopt`."""
        with self._lock:
            collection = self._collection(namespace_key)
            first_slot, first_stamp = collection.make_room(len(built))
        try:
            # Without the lock: the codes of a million vectors take seconds.
            return Adoption(built, first_slot, first_stamp)
        except BaseException:
            # The memory may not suffice for the codes.
            self._end_adoption(namespace_key, np.arange(first_slot, first_slot + len(built), dtype=np.int32))
            built.path.unlink(missing_ok=True)
            raise

    def adopt_fields(self, namespace_key: int, adoption: Adoption) -> Iterator[None]:
        """Take over the fields of the documents, a piece each step."""
        for piece in adoption.pieces():
            with self._lock:
                self._collection(namespace_key).adopt_fields(adoption, piece)
            yield

    def adopt(self, namespace_key: int, adoption: Adoption, now: float) -> None:
        """Let searches see the documents, but for those that the index knows already. Only the thread that applies
        changes may call it."""
        collection = self._collection(namespace_key)
        unknown = collection.name_adopted(adoption)
        digest = adoption.digest_of(unknown)
        with self._lock:
            collection.finish_adoption(adoption, unknown, digest, now)
            self._note_change(namespace_key)
        self._give_back(collection, adoption.segment.rows.slots[~unknown])

    def abandon(self, namespace_key: int, adoption: Adoption) -> None:
        """Give up an adoption that has begun."""
        self._end_adoption(namespace_key, adoption.segment.rows.slots)
        adoption.segment.path.unlink(missing_ok=True)

    def _end_adoption(self, namespace_key: int, slots: Slots) -> None:
        collection = self._collection(namespace_key)
        self._give_back(collection, slots)
        with self._lock:
            collection.abandon_adoption()
            self._note_change(namespace_key)

    def _give_back(self, collection: Collection, slots: Slots) -> None:
        for start in range(0, len(slots), FIELDS_PIECE):
            with self._lock:
                collection.give_back(slots[start : start + FIELDS_PIECE])

    def namespaces(self) -> list[int]:
        return list(self._collections)

    def capture(self, namespace_key: int) -> CollectionState | None:
        """A copy of one collection as of now; None when it is gone. A build may remove its graph files as soon as this
        method returns."""
        with self._lock:
            collection = self._collections.get(namespace_key)
            return collection.capture() if collection else None

    def restore(self, states: Mapping[int, CollectionState]) -> None:
        """Take over the collections of all namespaces, or none of them. Raises ValueError, RuntimeError."""
        tally, collections = Tally(), dict[int, Collection]()
        for namespace_key, state in states.items():
            collections[namespace_key] = self._empty(tally)
            collections[namespace_key].restore(state)
        with self._lock:
            self._tally, self._collections = tally, collections
            for namespace_key in collections:
                self._note_change(namespace_key)

    def clear(self) -> None:
        """Forget everything that is in memory, of an index that nobody searches."""
        with self._lock:
            for namespace_key in self._collections:
                self._agenda.forget(namespace_key)
            self._tally, self._collections, self._unbuilt = Tally(), {}, {}

    def close(self) -> None:
        """Build no more graphs and remove the files. A search that has begun can end: the vectors stay in memory."""
        with self._lock:
            self._closed = True
        try:
            shutil.rmtree(self.directory)
        except OSError as error:
            logger.warning("index files stay in %s: %s", self.directory, error.strerror)

    def segments(self) -> Iterator[tuple[int, bool, int, int]]:
        """Of every segment: its namespace, whether it is a graph, its rows and its live rows. For the node's report."""
        for key, collection in list(self._collections.items()):
            for segment in collection.segments:
                yield key, segment.is_graph, segment.rows.count, segment.rows.live_count

    def segment_counts(self) -> tuple[int, int]:
        """Flat segments and graphs."""
        with self._lock:
            return self._tally.flat_segments, self._tally.graph_segments

    def _view(self, namespace_key: int, wire: str, effort: Effort) -> tuple[Collection, CollectionView] | None:
        with self._lock:
            collection = self._collections.get(namespace_key)
            if collection is None:
                return None
            view = collection.view(wire, effort, self._filter_piece)
        if isinstance(view, FilteredView):
            view = self._completed(collection, wire, view, effort)
        return collection, view

    def _completed(self, collection: Collection, wire: str, begun: FilteredView, effort: Effort) -> CollectionView:
        for piece in begun.pieces(self._filter_piece):
            with self._lock:
                begun.test(piece)
            effort.go_on()
        view = begun.completed()
        with self._lock:
            collection.keep(wire, view, begun.position)
        return view

    def _look(self, namespace_key: int, now: float) -> None:
        with self._lock:
            collection = self._collections.get(namespace_key)
            if collection is None or collection.outlived(now):
                self._forget(namespace_key)
            else:
                self._agenda.note(namespace_key, collection.next_step(now))

    def _note_change(self, namespace_key: int) -> None:
        self._agenda.note_change(namespace_key)
        collection = self._collections[namespace_key]
        self._sizes.note(namespace_key, collection.documents)
        unbuilt = collection.unbuilt
        if unbuilt >= FEW_UNBUILT:
            self._unbuilt[namespace_key] = unbuilt
        else:
            self._unbuilt.pop(namespace_key, None)

    def _graph_rows(self, namespace_key: int) -> int:
        return sum(segment.rows.count for segment in self._collections[namespace_key].segments if segment.is_graph)

    def _forget(self, namespace_key: int) -> None:
        self._agenda.forget(namespace_key)
        self._unbuilt.pop(namespace_key, None)
        self._sizes.forget(namespace_key)
        collection = self._collections.pop(namespace_key, None)
        for segment in collection.dissolve() if collection else ():
            if isinstance(segment, HnswSegment):
                segment.path.unlink(missing_ok=True)

    def _collection(self, namespace_key: int) -> Collection:
        collection = self._collections.get(namespace_key)
        if collection is None:
            collection = self._collections[namespace_key] = self._empty(self._tally)
        return collection

    def _empty(self, tally: Tally) -> Collection:
        return Collection(self.dimension, tally, self._seal_rule, self._most_graph_rows, self._most_tombstones)

    def _most_graph_rows(self) -> int:
        if self._free is None:
            return MOST_GRAPH_ROWS
        copies = _BUILD_COPIES * graph_row_bytes(self.dimension, self.storage)
        return min(MOST_GRAPH_ROWS, max(self._free(), 0) // copies)
