"""The thread that keeps a replica equal to its logs, and tells Postgres how far the replica is.

A round: 1. read the heads of all logs, in one statement; 2. drop versions that are retired or of another epoch or
layout, and start new ones; 3. load a piece of each version, or follow its log; 4. write the heartbeat when it is due;
5. publish the versions that the node may answer. Postgres may be away for any time: the indexes stay, without
answering, until a round succeeds again.
"""

import logging
import shutil
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg

from embedding_project.observing.log_lines import place_of
from embedding_project.threads.vital_thread import VitalThread
from index_nodes import log_reader
from index_nodes.bundle_files import Bundle, Place
from index_nodes.load_turn import LOAD_TURN_FILE, LoadTurn
from index_nodes.log_reader import Log
from index_nodes.memory_budget import MemoryBudget, NoRoom
from index_nodes.metrics import APPLIED_CHANGES, REBUILDS, REFUSED_LOADS, THREAD_SEEN
from index_nodes.preparation import Preparation, Preparations
from index_nodes.serving import FENCE_SECONDS, NEVER, USUAL_RULE, LightRule, LogKey, Serving
from index_nodes.slots import MAX_TOMBSTONES
from index_nodes.snapshot_load import SnapshotLoad, Wanted
from index_nodes.snapshot_store import SnapshotStore, remove_other_stores
from index_nodes.snapshot_writer import SnapshotSource
from index_nodes.version_index import VersionIndex
from index_nodes.version_replica import USUAL_PACE, LoadPace, LogBroken, State, VersionReplica

BUSY_POLL_SECONDS = 0.02
IDLE_POLL_SECONDS = 0.05
_BUSY_AFTER_CHANGE_SECONDS = 5.0
_FIRST_BACKOFF_SECONDS = 0.1
_MAX_BACKOFF_SECONDS = 2.0
_STOP_SECONDS = 3.0
_REST_SECONDS = 5.0
"""Pause before a version is tried again whose index failed with an unforeseen error."""
SNAPSHOTS_FOLDER = "snapshots"
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    heartbeat_seconds: float = 1.0
    news_heartbeat_seconds: float = 0.25
    """When the replica has applied more of a log."""
    soonest_heartbeat_seconds: float = 0.025
    """When somebody waits for this, or when a version has got another state."""
    load: LoadPace = USUAL_PACE
    light: LightRule = USUAL_RULE


class Follower:
    def __init__(
        self,
        url: str,
        shard: int,
        replica: int,
        directory: Path,
        pace: Pace | None = None,
        memory: MemoryBudget | None = None,
        most_tombstones: int = MAX_TOMBSTONES,
    ) -> None:
        self._url = url
        self._shard = shard
        self._replica = replica
        self._name = f"node-s{shard}-r{replica}"
        self._directory = directory
        self._pace = pace or Pace()
        self._memory = memory or MemoryBudget()
        self._most_tombstones = most_tombstones
        self._snapshots = directory / SNAPSHOTS_FOLDER
        self._epoch = ""
        self._versions: dict[Log, VersionReplica] = {}
        self._stored: set[Log] = set()
        self._resting: dict[Log, float] = {}
        """Those that failed, and when each is tried again."""
        self._heartbeat_at = NEVER
        self._reported: dict[Log, tuple[int, State, str]] = {}
        """Applied sequence number, state and prepared bundles of the last heartbeat."""
        self._bundles_at = NEVER
        self._changed_at = NEVER
        self._serving = Serving()
        self._stopping = threading.Event()
        self._seen = THREAD_SEEN.labels(f"s{shard}-r{replica}", "follower")
        self._thread = VitalThread("follower", self._run, self._stopping.set, _STOP_SECONDS)

    @property
    def serving(self) -> Serving:
        """The versions that may answer now. A search keeps this value from its begin to its end."""
        return self._serving

    def indexes(self) -> list[VersionIndex]:
        return [*self.needed_indexes(), *self.spare_indexes()]

    def needed_indexes(self) -> list[VersionIndex]:
        """Those of the layout that answers searches."""
        return [version.index for version in self._serving.versions.values() if not version.stands_back]

    def spare_indexes(self) -> list[VersionIndex]:
        """Those of a layout that is built, or on standby."""
        return [version.index for version in self._serving.versions.values() if version.stands_back]

    def snapshot_sources(self) -> list[SnapshotSource]:
        """The indexes that are loaded, and so may be written as snapshots."""
        # Epoch and sequence number are read before the contents: so the contents can only be newer.
        now, epoch = time.monotonic(), self._epoch
        return [
            SnapshotSource(log=version.log, epoch=epoch, seq=version.applied, index=version.index, store=version.store)
            for version in list(self._versions.values())
            if version.state(now) not in ("loading", "no_room")
        ]

    def start(self, *, keep_snapshots: bool) -> None:
        """Remove the files of an earlier run, but not the snapshots when `keep_snapshots`, and begin to follow."""
        self._directory.mkdir(parents=True, exist_ok=True)
        for left in self._directory.iterdir():
            if left.name != SNAPSHOTS_FOLDER or not keep_snapshots:
                shutil.rmtree(left, ignore_errors=True)
        self._thread.start()

    def stop(self) -> None:
        self._thread.stop()
        self._serving = Serving()

    def _run(self) -> None:
        backoff = _FIRST_BACKOFF_SECONDS
        while not self._stopping.is_set():
            try:
                with log_reader.connect(self._url, self._name) as connection:
                    while not self._stopping.is_set():
                        pause = self.round(connection)
                        backoff = _FIRST_BACKOFF_SECONDS
                        self._stopping.wait(pause)
                    self._report_stop(connection)
            except psycopg.Error as error:
                # The message of the error may quote values; its type is enough.
                logger.warning("follower: %s, again in %.1f s", type(error).__name__, backoff)
                self._drop(lambda version: version.state(time.monotonic()) == "loading")
            except Exception as error:  # noqa: BLE001
                logger.error("follower: starting over after %s", place_of(error))
                self._drop(lambda _: True)
            self._stopping.wait(backoff)
            backoff = min(2 * backoff, _MAX_BACKOFF_SECONDS)
        self._drop(lambda _: True)

    def round(self, connection: log_reader.Connection) -> float:
        """One round; returns the seconds to wait before the next one. Raises psycopg.Error."""
        asked_at = time.monotonic()
        self._seen.set_to_current_time()
        heads = log_reader.read_heads(connection, self._shard)
        if heads is None:
            return IDLE_POLL_SECONDS
        self._adopt(heads)
        busy = False
        for log, version in list(self._versions.items()):
            version.stands_back = heads.logs[log].stands_back
            busy |= self._advance(connection, version, heads.logs[log], asked_at)
        self._prepare_bundles(connection, asked_at)
        busy |= self._report_if_due(connection, heads)
        self._yield_to_lighter(connection)
        self._serving = Serving(
            epoch=self._epoch,
            heartbeat_at=self._heartbeat_at,
            versions={_key(log): version.served() for log, version in self._versions.items()},
        )
        if busy:
            return 0.0
        recent = asked_at - self._changed_at < _BUSY_AFTER_CHANGE_SECONDS
        return BUSY_POLL_SECONDS if recent else IDLE_POLL_SECONDS

    def _yield_to_lighter(self, connection: log_reader.Connection) -> None:
        """Leave searches to another replica of the shard while this one must still build most of its graphs. A light
        replica never yields, so one that answers is left, and this one is back when the other falls silent."""
        now, rule = time.monotonic(), self._pace.light
        for version in self._versions.values():
            heavy = version.state(now) == "ready" and not version.is_light(rule)
            yields = heavy and log_reader.has_light_peer(connection, version.log, self._epoch, self._replica, rule)
            if yields != version.yields:
                words = "leaves searches to another replica" if yields else "takes searches"
                logger.info("version %d: %s", version.log.version_key, words)
            version.yields = yields

    def _adopt(self, heads: log_reader.Heads) -> None:
        moved = heads.epoch != self._epoch
        self._drop(lambda version: moved or version.fits_now or not _is_wanted(version, heads))
        self._epoch = heads.epoch
        for log, head in heads.logs.items():
            rests = time.monotonic() < self._resting.get(log, NEVER)
            if log not in self._versions and head.loads and not rests:
                self._versions[log] = self._begin(log, head)
        if self._stored != set(heads.logs):
            remove_other_stores(self._snapshots, {self._snapshots / _store_name(log) for log in heads.logs})
            self._stored = set(heads.logs)

    def _begin(self, log: Log, head: log_reader.Head) -> VersionReplica:
        directory = self._directory / f"{_store_name(log)}-{uuid.uuid4().hex}"
        index = VersionIndex(
            head.dimension,
            directory,
            free=self._memory.free,
            storage=head.storage,
            most_tombstones=self._most_tombstones,
        )
        store = SnapshotStore(self._snapshots / _store_name(log))
        place = Place(
            epoch=self._epoch,
            layout=log.layout,
            version_key=log.version_key,
            shard=log.shard,
            dimension=head.dimension,
            storage=head.storage,
            directory=directory,
        )
        preparations = Preparations(lambda bundles: Preparation(bundles, place, index, self._memory))
        wanted = Wanted(url=self._url, name=f"{self._name}-load", log=log, epoch=self._epoch, head=head)
        restoring = SnapshotLoad(store, wanted, index, self._memory)
        turn = LoadTurn(self._directory.parent / LOAD_TURN_FILE, self._pace.load.turn_seconds)
        return VersionReplica(log, index, store, restoring, self._memory, preparations, turn, self._pace.load)

    def _prepare_bundles(self, connection: log_reader.Connection, now: float) -> None:
        """Look once a second which bundles of bulk jobs were announced, and let loaded versions prepare them."""
        if now - self._bundles_at < self._pace.heartbeat_seconds:
            return
        self._bundles_at = now
        rows = log_reader.read_bundles(connection, self._shard)
        for log, version in self._versions.items():
            own = [row for row in rows if row.log == log]
            known = {row.bundle.job for row in own}
            announced: dict[int, list[Bundle]] = {}
            for row in own if version.state(now) in ("ready", "behind") else ():
                if row.announced:
                    announced.setdefault(row.bundle.job, []).append(row.bundle)
            version.preparations.follow(announced, known)

    def _advance(
        self, connection: log_reader.Connection, version: VersionReplica, head: log_reader.Head, asked_at: float
    ) -> bool:
        before = version.applied
        try:
            if version.restoring or version.problem or version.waits(asked_at):
                return False
            if version.load_piece(self._url, f"{self._name}-load", self._epoch, asked_at):
                return True
            if not version.follow(connection, head, asked_at):
                return False
        except psycopg.Error:
            raise
        except NoRoom as error:
            # The others are followed and answered: a process that takes too much would be killed with all of them.
            logger.error("not loaded: %s", error)
            REFUSED_LOADS.inc()
            version.refuse(error)
            return True
        except (LogBroken, log_reader.LogMoved) as error:
            self._begin_again(version, f"{type(error).__name__} {error}")
            return True
        except Exception as error:  # noqa: BLE001
            # The error costs this version alone: the others are followed and answered.
            self._resting[version.log] = time.monotonic() + _REST_SECONDS
            self._begin_again(version, place_of(error))
            return True
        APPLIED_CHANGES.inc(version.applied - before)
        self._changed_at = asked_at
        return True

    def _begin_again(self, version: VersionReplica, reason: str) -> None:
        logger.warning("version %d is loaded again: %s", version.log.version_key, reason)
        REBUILDS.inc()
        version.store.close_and_discard()
        self._drop(lambda other: other is version)

    def _drop(self, condition: Callable[[VersionReplica], bool]) -> None:
        gone = [log for log, version in self._versions.items() if condition(version)]
        if not gone:
            return
        dropped = [self._versions.pop(log) for log in gone]
        # Searches must no longer find the versions before their files are removed.
        left = set(map(_key, self._versions))
        kept = {key: version for key, version in self._serving.versions.items() if key in left}
        self._serving = replace(self._serving, versions=kept)
        for version in dropped:
            version.close()

    def _report_if_due(self, connection: log_reader.Connection, heads: log_reader.Heads) -> bool:
        """Write the heartbeat when it is due, or has news; returns whether a version became ready."""
        now = time.monotonic()
        states = {log: _told(version, now) for log, version in self._versions.items()}
        pause = self._pace.heartbeat_seconds
        if states != self._reported:
            pause = min(pause, self._pace.news_heartbeat_seconds)
            if any(self._is_awaited(log, *states[log][:2], heads.logs[log]) for log in states):
                pause = self._pace.soonest_heartbeat_seconds
        if now - self._heartbeat_at < pause:
            return False
        rebuilds = log_reader.report(
            connection, [self._report(version, version.state(now)) for version in self._versions.values()]
        )
        fenced = now - self._heartbeat_at >= FENCE_SECONDS
        self._heartbeat_at, self._reported = now, states
        became_ready = [version.announce(now, fenced) for version in self._versions.values()]
        for version in [self._versions[log] for log in rebuilds]:
            # A thread that still reads a snapshot is not disturbed: the next heartbeat brings the wish again.
            if not version.restoring:
                self._rebuild(connection, version)
        return any(became_ready)

    def _is_awaited(self, log: Log, applied: int, state: State, head: log_reader.Head) -> bool:
        """Whether what a version has to say should not wait."""
        told_applied, told_state, _ = self._reported.get(log, (0, None, ""))
        return state != told_state or told_applied < min(applied, head.awaited)

    def _rebuild(self, connection: log_reader.Connection, version: VersionReplica) -> None:
        # In this order: a node that dies in between throws away once more what it then has, and not too little.
        self._begin_again(version, "it differs from Postgres")
        log_reader.note_rebuild(connection, version.log, self._replica)

    def _report(self, version: VersionReplica, state: str) -> log_reader.Report:
        documents, graph_documents, digest = version.index.tally()
        flat_segments, graph_segments = version.index.segment_counts()
        return log_reader.Report(
            layout=version.log.layout,
            version_key=version.log.version_key,
            shard=self._shard,
            replica=self._replica,
            epoch=self._epoch,
            applied=version.applied,
            state=state,
            problem=version.problem,
            digest=digest,
            documents=documents,
            graph_documents=graph_documents,
            unbuilt_documents=version.index.backlog(),
            overdue_namespaces=version.index.overdue(),
            built_per_second=version.index.built_per_second,
            namespace_sizes=version.index.namespace_sizes(),
            loading_total=version.loading_total,
            memory_bytes=self._memory.resident(),
            free_memory_bytes=max(0, self._memory.free()),
            flat_segments=flat_segments,
            graph_segments=graph_segments,
            snapshot_seq=version.store.oldest_seq,
            snapshot_at=version.store.newest_at,
            prepared=version.preparations.to_json(),
        )

    def _report_stop(self, connection: log_reader.Connection) -> None:
        # A writer does not wait for a replica that is behind, and so not for one that has ended.
        self._serving = Serving()
        log_reader.report(connection, [self._report(version, "behind") for version in self._versions.values()])


def _is_wanted(version: VersionReplica, heads: log_reader.Heads) -> bool:
    """Whether layout and version are still live, the graphs are of the storage of the version, and no load goes on that
    was stopped."""
    head = heads.logs.get(version.log)
    return head is not None and head.storage == version.index.storage and (head.loads or not version.loading)


def _told(version: VersionReplica, now: float) -> tuple[int, State, str]:
    return version.applied, version.state(now), version.preparations.to_json()


def _key(log: Log) -> LogKey:
    return LogKey(log.layout, log.version_key)


def _store_name(log: Log) -> str:
    return f"l{log.layout}-v{log.version_key}"
