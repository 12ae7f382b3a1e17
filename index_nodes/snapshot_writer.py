"""The thread of a node that writes snapshots of its indexes, beside searches and changes.

It holds the lock of an index while it copies the arrays of one collection, for milliseconds. The rest needs no lock:
graphs never change, so their files get a second name; the copies are written, synced, named, and read again, a graph
only once. A disk that is full or broken costs snapshots only. The log says when that begins and when it ends.
"""

import errno
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakKeyDictionary

from embedding_project.observing.log_lines import place_of
from embedding_project.threads.vital_thread import VitalThread
from index_nodes.collection_state import CollectionState
from index_nodes.graph_storage import GRAPH_KIND
from index_nodes.log_reader import Log
from index_nodes.metrics import SNAPSHOT_SECONDS, SNAPSHOTS, THREAD_SEEN
from index_nodes.snapshot_contents import array_bytes, graph_name, write_contents
from index_nodes.snapshot_files import (
    FORMAT,
    MANIFEST,
    FileFacts,
    HashedFile,
    Manifest,
    SnapshotDamaged,
    encode,
    link_or_copy,
    sync_folder,
    verified,
)
from index_nodes.snapshot_store import SnapshotStore, StoreClosed
from index_nodes.tally import DIGEST_MODULUS
from index_nodes.version_index import VersionIndex

SPARED_BYTES = 256 * 2**20
"""A snapshot leaves so much room on the disk: Postgres may write on it too."""
_LOOK_SECONDS = 0.5
_RETRY_SECONDS = 60.0
_STOP_SECONDS = 3.0
_CAPTURES = 5
"""How often a collection is captured, at most: a build may remove a graph file after the capture."""
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotSource:
    """A log, and the index that follows it."""

    log: Log
    epoch: str
    seq: int
    """The index contains every change up to here."""
    index: VersionIndex
    store: SnapshotStore


@dataclass(slots=True)
class _Progress:
    """The state of the thread for one store."""

    due_at: float
    published: int = 0
    """`VersionIndex.published` at the last snapshot."""
    failing: bool = False


class SnapshotWriter:
    def __init__(self, node: str, sources: Callable[[], Sequence[SnapshotSource]], seconds: float) -> None:
        self._sources = sources
        self._seconds = seconds
        self._progress = WeakKeyDictionary[SnapshotStore, _Progress]()
        self._stopping = threading.Event()
        self._seen = THREAD_SEEN.labels(node, "snapshots")
        self._thread = VitalThread("snapshots", self._run, self._stopping.set, _STOP_SECONDS)

    @property
    def enabled(self) -> bool:
        return self._seconds > 0

    def start(self) -> None:
        """Does nothing when snapshots are switched off."""
        if self.enabled:
            self._thread.start()

    def stop(self) -> None:
        """A snapshot in progress may stay unfinished: it has no name yet."""
        if self.enabled:
            self._thread.stop()

    def write_due(self, now: float) -> None:
        """Write every snapshot whose time has come and whose index has changed since the last one."""
        for source in self._sources():
            progress = self._progress.setdefault(source.store, _Progress(due_at=now + self._seconds))
            changed = source.seq != source.store.newest_seq or source.index.published != progress.published
            if changed and now >= progress.due_at:
                self._write(source, progress, now)

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK_SECONDS):
            self._seen.set_to_current_time()
            try:
                self.write_due(time.monotonic())
            except Exception as error:  # noqa: BLE001
                logger.error("snapshots: %s", place_of(error))
                self._stopping.wait(_RETRY_SECONDS)

    def _write(self, source: SnapshotSource, progress: _Progress, now: float) -> None:
        published, began = source.index.published, time.monotonic()
        try:
            write_snapshot(source)
        except StoreClosed:
            return
        except Exception as error:  # noqa: BLE001
            progress.due_at = now + min(self._seconds, _RETRY_SECONDS)
            if source.index.closed or self._stopping.is_set():
                return
            SNAPSHOTS.labels("failed").inc()
            if not progress.failing:
                reason = error if isinstance(error, OSError | SnapshotDamaged) else place_of(error)
                logger.warning("no snapshots of version %d for now: %s", source.log.version_key, reason)
            progress.failing = True
            return
        if progress.failing:
            logger.info("snapshots of version %d are written again", source.log.version_key)
        self._progress[source.store] = _Progress(now + self._seconds, published)
        SNAPSHOTS.labels("written").inc()
        SNAPSHOT_SECONDS.observe(time.monotonic() - began)


def write_snapshot(source: SnapshotSource, spared_bytes: int = SPARED_BYTES) -> Path:
    """Write, name and read again. Raises OSError, StoreClosed, and SnapshotDamaged when it cannot be read again."""
    folder = source.store.begin()
    try:
        manifest = _fill(folder, source, spared_bytes)
        folder = source.store.publish(folder, manifest.folder_name)
        verified(folder, source.store.known)
        source.store.accept(folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def _fill(folder: Path, source: SnapshotSource, spared_bytes: int) -> Manifest:
    states, graphs = dict[int, CollectionState](), dict[str, FileFacts]()
    for namespace_key in source.index.namespaces():
        state, found = _captured(source.index, namespace_key, folder)
        if state:
            states[namespace_key] = state
            graphs |= found
    _check_room(folder, array_bytes(states) + spared_bytes)
    dimension = source.index.dimension
    files = {**write_contents(folder, dimension, states), **graphs}
    manifest = Manifest(
        format=FORMAT,
        epoch=source.epoch,
        layout=source.log.layout,
        version_key=source.log.version_key,
        shard=source.log.shard,
        seq=source.seq,
        dimension=dimension,
        storage=source.index.storage.value,
        **GRAPH_KIND,
        documents=sum(state.documents for state in states.values()),
        digest=sum(state.digest for state in states.values()) % DIGEST_MODULUS,
        written_ms=time.time_ns() // 1_000_000,
        files=files,
    )
    with HashedFile(folder / MANIFEST) as file:
        file.write(encode(manifest))
    sync_folder(folder)
    return manifest


def _captured(
    index: VersionIndex, namespace_key: int, folder: Path
) -> tuple[CollectionState | None, dict[str, FileFacts]]:
    """One collection unless it is gone, and the facts of its graphs, which are linked into `folder`. Raises OSError."""
    for attempt in range(_CAPTURES):
        state, linked = index.capture(namespace_key), dict[str, FileFacts]()
        try:
            for segment in state.segments if state else ():
                if segment.graph:
                    name = graph_name(namespace_key, segment.serial)
                    (folder / name).unlink(missing_ok=True)
                    link_or_copy(segment.graph.path, folder / name)
                    linked[name] = FileFacts((folder / name).stat().st_size, segment.graph.sha256)
        except FileNotFoundError:
            if attempt == _CAPTURES - 1:
                raise
            for name in linked:
                (folder / name).unlink()
        else:
            return state, linked
    raise AssertionError("unreachable")


def _check_room(folder: Path, size: int) -> None:
    if shutil.disk_usage(folder).free < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
