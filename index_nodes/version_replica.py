"""One model version on this replica: its index, and how far the index has followed the log."""

import logging
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Literal

import psycopg

from embedding_project.contracts.vector_storage import VectorStorage
from index_nodes.load_turn import LoadTurn
from index_nodes.log_reader import (
    LOAD_ROWS,
    Block,
    Connection,
    Head,
    Load,
    Log,
    next_entry,
    open_load,
    read_bundles,
    read_changes,
)
from index_nodes.memory_budget import MemoryBudget, NoRoom, give_back_freed
from index_nodes.memory_plan import UNBUILT_ROWS, IndexSize, load_bytes
from index_nodes.metrics import BUNDLES, LOAD_SECONDS
from index_nodes.preparation import Preparations
from index_nodes.serving import MAX_LAG_SECONDS, NEVER, LightRule, ServedVersion
from index_nodes.snapshot_load import SnapshotLoad
from index_nodes.snapshot_store import SnapshotStore
from index_nodes.version_index import VersionIndex

logger = logging.getLogger(__name__)
State = Literal["loading", "ready", "behind", "no_room"]
TELL_SECONDS = 5.0
"""Time between two log lines about the progress of a load from Postgres."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPace:
    """How a replica loads from Postgres."""

    rows: int = LOAD_ROWS
    """Of one piece."""
    tell_seconds: float = TELL_SECONDS
    most_unbuilt: int = UNBUILT_ROWS
    """Documents of a namespace in no graph, above which a load of rounded vectors waits for builds,"""
    build_seconds: float = 300.0
    """but not for one that takes longer: builds may fail, and the rows can be searched without a graph."""
    spare_build_seconds: float = 3_000.0
    """The same while no search needs the index: its builds have fewer cores and a lower priority."""
    spare_rows: int = 250
    """Of one piece, while no search needs the index: those of the same process wait for some milliseconds at most."""
    spare_share: float = 0.2
    """Of a core, that such a load takes: it rests after each piece."""
    turn_seconds: float = 300.0
    """How long such a load waits for those of other nodes of the machine, at most: one of them may be frozen."""


USUAL_PACE = LoadPace()


class LogBroken(Exception):
    """The log does not continue where the index ends, so the index must be loaded again."""


class VersionReplica:
    """A thread fills it from a snapshot, or else the follower fills it from the table piece by piece. Between two
    pieces the follower looks after other versions and its heartbeat."""

    def __init__(
        self,
        log: Log,
        index: VersionIndex,
        store: SnapshotStore,
        restoring: SnapshotLoad,
        memory: MemoryBudget,
        preparations: Preparations,
        turn: LoadTurn,
        pace: LoadPace = USUAL_PACE,
    ) -> None:
        self.log = log
        self.preparations = preparations
        self.index = index
        self.store = store
        self.applied = 0
        self.caught_up_at = NEVER
        self.announced_at = float("inf")
        self.yields = False
        self.stands_back = False
        """Whether no search needs the index: its load then leaves the machine to others."""
        self.problem = ""
        """Why the index is not loaded; empty when it is, or will be."""
        self._needed = 0
        self._loading = True
        self._restoring: SnapshotLoad | None = restoring
        self._load: Load | None = None
        self._block: Block | None = None
        """Of a bulk job, whose rows are loaded because its bundles cannot be used."""
        self._memory = memory
        self._free_before = 0
        self._published = -1
        """Builds that had been published when the load last began to wait for one."""
        self._waits_since = NEVER
        self._turn = turn
        self._rests_until = NEVER
        self._load_began_at = 0.0
        self._told_at = 0.0
        self._pace = pace
        self._resources = ExitStack()

    def close(self) -> None:
        """Give up the index, also in the middle of a load."""
        self._give_up_load()
        self.store.close()
        self.index.close()
        self.preparations.close()

    def _give_up_load(self) -> None:
        self._load = None
        try:
            self._resources.close()
        except psycopg.Error as error:
            logger.info("a load was given up: %s", type(error).__name__)

    @property
    def restoring(self) -> bool:
        """Whether a thread still reads a snapshot, so that the follower has nothing to do for this version."""
        return self._restoring is not None and self._restoring.running

    @property
    def loading(self) -> bool:
        return self._loading

    def waits(self, now: float) -> bool:
        """Whether a load from Postgres must wait with its next piece."""
        return self._waits_for_builds(now) or (self.stands_back and self._gives_way(now))

    def _gives_way(self, now: float) -> bool:
        """Whether an index that no search needs leaves the machine to searches, or to the load of another one."""
        begins = self._loading and self._load is None and self._restoring is None
        return now < self._rests_until or (begins and not self._turn.take(now))

    def _waits_for_builds(self, now: float) -> bool:
        """Rows in no graph take more memory than they will in one."""
        loads = self._load is not None and self.index.storage is not VectorStorage.FP32
        if not loads or self.index.backlog() < self._pace.most_unbuilt:
            return False
        if self._published != self.index.published:
            self._published, self._waits_since = self.index.published, now
        most_seconds = self._pace.spare_build_seconds if self.stands_back else self._pace.build_seconds
        return now - self._waits_since < most_seconds

    @property
    def fits_now(self) -> bool:
        """Of a version that was refused for want of memory: whether there is more of it now."""
        return bool(self.problem) and self._memory.free() >= self._needed

    def refuse(self, reason: NoRoom) -> None:
        """Hold nothing, and say why, until `fits_now`. A snapshot stays where it is."""
        self.problem, self._needed = str(reason), reason.needed
        self._give_up_load()
        self.preparations.close()
        self.index.clear()
        give_back_freed()

    @property
    def loading_total(self) -> int:
        """Rows to load from the table; 0 when unknown or loaded."""
        return self._load.total if self._loading and self._load else 0

    def state(self, now: float) -> State:
        if self._loading:
            return "no_room" if self.problem else "loading"
        return "ready" if now - self.caught_up_at < MAX_LAG_SECONDS else "behind"

    def served(self) -> ServedVersion:
        return ServedVersion(
            index=self.index,
            caught_up_at=self.caught_up_at,
            announced_at=self.announced_at,
            applied=self.applied,
            yields=self.yields,
            stands_back=self.stands_back,
        )

    def is_light(self, rule: LightRule) -> bool:
        """Whether its searches are fast: whether most of its documents are in graphs."""
        return rule.is_light(self.index.tally()[0], self.index.backlog())

    def announce(self, now: float, renewed: bool) -> bool:
        """Note that Postgres has a heartbeat with the state at `now`; returns whether it made this version ready.
        `renewed`: whether earlier heartbeats had become too old to count."""
        if self.state(now) != "ready":
            self.announced_at = float("inf")
            return False
        if not renewed and self.announced_at < float("inf"):
            return False
        self.announced_at = time.monotonic()
        return True

    def load_piece(self, url: str, name: str, epoch: str, now: float) -> bool:
        """Take over the loaded snapshot, or else the next rows of the table; False when the load has ended. Raises
        psycopg.Error, LogMoved, and NoRoom when the index does not fit, or proves larger than it seemed."""
        if not self._loading:
            return False
        if self._restoring:
            restored, self._restoring = self._restoring.result(), None
            if restored is not None:
                self.applied, self._loading = restored, False
            return True
        began = time.thread_time()
        if self._load is None:
            self._load_began_at = self._told_at = now
            self._resources.callback(self._turn.give_back)
            rows = min(self._pace.rows, self._pace.spare_rows) if self.stands_back else self._pace.rows
            self._load = self._resources.enter_context(open_load(url, name, self.log, epoch, rows, self._block))
            self._plan(self._load)
        piece = next(self._load.pieces, None)
        if piece is None:
            self._end_load(self._load, now)
        else:
            self._check_room(self._load)
            self.index.apply(piece, now)
            self._tell_progress(self._load, now)
            # By processor time: on a busy machine a piece takes longer by itself.
            self._rest_after(time.thread_time() - began)
        return True

    def _rest_after(self, seconds: float) -> None:
        rest = seconds / self._pace.spare_share - seconds
        self._rests_until = time.monotonic() + rest if self.stands_back else NEVER

    def _plan(self, load: Load) -> None:
        size = IndexSize(
            rows=load.total,
            dimension=self.index.dimension,
            storage=self.index.storage,
            field_bytes=load.field_bytes,
        )
        self._memory.require(
            load_bytes(size), f"version {self.log.version_key}, {load.total:,} documents from Postgres,"
        )
        self._free_before = self._memory.free()

    def _check_room(self, load: Load) -> None:
        # Estimates may be wrong, the number of rows may be unknown, and other processes take memory too.
        if self._memory.free() < -self._memory.spared // 2:
            total = f"{load.total:,}" if load.total else "an unknown number of"
            raise NoRoom(
                f"version {self.log.version_key} is larger than it seemed: after {self.index.tally()[0]:,} of"
                f" {total} documents no memory is free but a reserve",
                self._free_before + self._memory.spared,
            )

    def _tell_progress(self, load: Load, now: float) -> None:
        if now - self._told_at < self._pace.tell_seconds:
            return
        self._told_at = now
        total = load.total or "an unknown number of"
        logger.info("version %d: loaded %d of %s documents", self.log.version_key, self.index.tally()[0], total)

    def _end_load(self, load: Load, now: float) -> None:
        self._resources.close()
        self._rests_until = NEVER
        self.applied = load.head
        self._loading = False
        source = "block" if self._block else "postgres"
        self._load = self._block = None
        seconds = now - self._load_began_at
        LOAD_SECONDS.labels(source).observe(seconds)
        documents = self.index.tally()[0]
        logger.info("version %d: %d documents from Postgres in %.1f s", self.log.version_key, documents, seconds)

    def follow(self, connection: Connection, head: Head, asked_at: float) -> bool:
        """Apply the new entries of the log; returns whether there were any. Raises psycopg.Error, LogBroken."""
        if self.applied > head.seq:
            raise LogBroken(f"applied {self.applied} is beyond the head {head.seq}")
        if self.applied == head.seq:
            self.caught_up_at = asked_at
            return False
        changes = read_changes(connection, self.log, self.applied, head.dimension)
        states = [state for place, (seq, state) in enumerate(changes, 1) if seq == self.applied + place]
        if not states:
            return self._meet_block(connection, head, asked_at)
        self.index.apply(states, asked_at)
        self.applied += len(states)
        if self.applied >= head.seq:
            self.caught_up_at = asked_at
        return True

    def _meet_block(self, connection: Connection, head: Head, asked_at: float) -> bool:
        """The next entry stands for the documents of a bulk job: take its bundles over, or else load the rows. Until
        either is done the replica lags. Raises psycopg.Error, LogBroken."""
        entry = next_entry(connection, self.log, self.applied)
        block = entry.block() if entry and entry.seq == self.applied + 1 else None
        if block is None:
            raise LogBroken(f"there is a gap after {self.applied}, before the head {head.seq}")
        preparation = self.preparations.of(block.job)
        if preparation is None:
            rows = read_bundles(connection, self.log.shard)
            bundles = [row.bundle for row in rows if (row.log, row.bundle.job) == (self.log, block.job)]
            if bundles:
                self.preparations.begin(block.job, bundles)
                return False
        elif preparation.state == "preparing":
            return False
        self.preparations.forget(block.job)
        if preparation is not None and preparation.state == "ready":
            preparation.adopt(asked_at)
            self.applied = block.seq
        else:
            BUNDLES.labels("replaced").inc()
            logger.error("version %d: rows of bulk job %d are loaded from Postgres", self.log.version_key, block.job)
            self._block, self._loading = block, True
        return True
