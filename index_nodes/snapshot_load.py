"""Fills the index of a starting node from the newest snapshot that is whole and that its log continues.

It runs in a thread of its own, so that the follower can look after other versions and its heartbeat.
"""

import logging
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg

from embedding_project.observing.log_lines import place_of
from index_nodes import log_reader
from index_nodes.metrics import LOAD_SECONDS, SNAPSHOTS
from index_nodes.snapshot_manifest import Manifest, SnapshotDamaged
from index_nodes.snapshot_reader import Abandoned, check_graphs, restore, verified
from index_nodes.snapshot_store import SnapshotStore
from index_nodes.version_index import VersionIndex

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a snapshot must be of, and where its log can be asked."""

    url: str
    name: str
    """Of the connection."""
    log: log_reader.Log
    epoch: str
    head: log_reader.Head


class SnapshotLoad:
    def __init__(self, store: SnapshotStore, wanted: Wanted, index: VersionIndex) -> None:
        self._store = store
        self._wanted = wanted
        self._index = index
        self._seq: int | None = None
        self._error: psycopg.Error | None = None
        self._thread = threading.Thread(target=self._run, name="snapshot-load", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def result(self) -> int | None:
        """Up to where the index contains the log; None when no snapshot could be used. Raises psycopg.Error."""
        self._thread.join()
        if self._error:
            raise self._error
        return self._seq

    def _run(self) -> None:
        try:
            self._seq = load_newest(self._store, self._wanted, self._index)
        except Abandoned:
            logger.info("a load from a snapshot was given up")
        except psycopg.Error as error:
            self._error = error
        except OSError as error:
            logger.warning("snapshots cannot be used: %s", error)
        except Exception as error:  # noqa: BLE001
            # The index is as empty as before, and is loaded from Postgres.
            logger.error("snapshots cannot be used: %s", place_of(error))


def load_newest(store: SnapshotStore, wanted: Wanted, index: VersionIndex) -> int | None:
    """Fill the empty index; the sequence number it then contains. What cannot be used is set aside or removed on the
    way; None, and an index as empty as before, when nothing is left. Raises psycopg.Error, OSError, Abandoned."""
    for folder in store.newest_first():
        began = time.monotonic()
        try:
            manifest = verified(folder)
            if reason := _unfit(manifest, wanted):
                logger.info("snapshot %s is not used: %s", folder.name, reason)
                SNAPSHOTS.labels("outdated").inc()
                store.discard(folder)
                continue
            check_graphs(folder, manifest, lambda: index.closed)
            restore(folder, manifest, index)
        except SnapshotDamaged as error:
            if index.closed:
                raise Abandoned from error
            _set_aside(store, folder, error)
            continue
        seconds = time.monotonic() - began
        LOAD_SECONDS.labels("snapshot").observe(seconds)
        logger.info(
            "version %d: %d documents from snapshot %s in %.1f s",
            *(manifest.version_key, manifest.documents, folder.name, seconds),
        )
        return manifest.seq
    return None


def _unfit(manifest: Manifest, wanted: Wanted) -> str:
    """Why an undamaged snapshot cannot be continued; empty when it can. Raises psycopg.Error."""
    log, head = wanted.log, wanted.head
    if (manifest.epoch, manifest.layout) != (wanted.epoch, log.layout):
        return "it is of another epoch or layout"
    if (manifest.version_key, manifest.shard, manifest.dimension) != (log.version_key, log.shard, head.dimension):
        return "it is of another log"
    if manifest.seq > head.seq:
        return "it is beyond the head of the log"
    if manifest.seq == head.seq:
        return ""
    with log_reader.connect(wanted.url, wanted.name) as connection:
        entry = log_reader.next_entry(connection, log, manifest.seq)
    return "" if entry and entry.seq == manifest.seq + 1 else "the log no longer continues it"


def _set_aside(store: SnapshotStore, folder: Path, error: SnapshotDamaged) -> None:
    logger.error("snapshot %s is set aside as damaged: %s", folder.name, error)
    SNAPSHOTS.labels("damaged").inc()
    store.set_aside(folder)
