"""Fills the index of a starting node from the newest snapshot that is whole and that its log continues.

It runs in a thread of its own, so that the follower can look after other versions and its heartbeat.

It believes nothing before it has checked, in this order: manifest, list of files, sizes, SHA-256 of every file, epoch,
layout and log, a child process that reads the graphs by Faiss. Then this process reads, and compares the digest.
"""

import logging
import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg

from embedding_project.observing.log_lines import place_of
from index_nodes import log_reader
from index_nodes.graph_storage import GRAPH_KIND
from index_nodes.memory_budget import MemoryBudget, NoRoom, give_back_freed
from index_nodes.memory_plan import snapshot_bytes
from index_nodes.metrics import LOAD_SECONDS, SNAPSHOTS
from index_nodes.snapshot_check import Abandoned, check_graphs
from index_nodes.snapshot_contents import read_contents
from index_nodes.snapshot_files import Manifest, SnapshotDamaged, verified
from index_nodes.snapshot_store import SnapshotStore
from index_nodes.tally import DIGEST_MODULUS
from index_nodes.version_index import VersionIndex

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The log that a snapshot must belong to, and the database with that log."""

    url: str
    name: str
    """Name of the connection."""
    log: log_reader.Log
    epoch: str
    head: log_reader.Head


class SnapshotLoad:
    def __init__(self, store: SnapshotStore, wanted: Wanted, index: VersionIndex, memory: MemoryBudget) -> None:
        self._store = store
        self._memory = memory
        self._wanted = wanted
        self._index = index
        self._seq: int | None = None
        self._error: psycopg.Error | NoRoom | None = None
        self._thread = threading.Thread(target=self._run, name="snapshot-load", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def result(self) -> int | None:
        """The sequence number up to which the index contains the log; None when no snapshot could be used. Raises
        psycopg.Error, NoRoom."""
        self._thread.join()
        if self._error:
            raise self._error
        return self._seq

    def _run(self) -> None:
        try:
            self._seq = load_newest(self._store, self._wanted, self._index, self._memory)
        except Abandoned:
            logger.info("a load from a snapshot was given up")
        except (psycopg.Error, NoRoom) as error:
            self._error = error
        except OSError as error:
            logger.warning("snapshots cannot be used: %s", error)
        except Exception as error:  # noqa: BLE001
            # The index is still empty: the follower loads it from Postgres.
            logger.error("snapshots cannot be used: %s", place_of(error))


def load_newest(store: SnapshotStore, wanted: Wanted, index: VersionIndex, memory: MemoryBudget) -> int | None:
    """Fill the empty index; returns the sequence number up to which it then contains the log. Damaged snapshots are set
    aside, and outdated ones removed. When none is left, returns None, and the index is still empty. Raises
    psycopg.Error, OSError, Abandoned, and NoRoom when a good snapshot does not fit into the memory."""
    for folder in store.newest_first():
        began = time.monotonic()
        try:
            manifest = verified(folder, store.known)
            if reason := _unfit(manifest, wanted):
                logger.info("snapshot %s is not used: %s", folder.name, reason)
                SNAPSHOTS.labels("outdated").inc()
                store.discard(folder)
                continue
            memory.require(snapshot_bytes(manifest), f"version {manifest.version_key}, snapshot {folder.name},")
            check_graphs(folder, manifest, lambda: index.closed)
            restore(folder, manifest, index)
            give_back_freed()
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
    """Why the node cannot use an undamaged snapshot; empty when it can. Raises psycopg.Error."""
    log, head = wanted.log, wanted.head
    if (manifest.epoch, manifest.layout) != (wanted.epoch, log.layout):
        return "it is of another epoch or layout"
    if (manifest.version_key, manifest.shard, manifest.dimension) != (log.version_key, log.shard, head.dimension):
        return "it is of another log"
    if manifest.storage != head.storage:
        return f"it holds vectors as {manifest.storage}, and the version holds them as {head.storage}"
    if any(getattr(manifest, name) != value for name, value in GRAPH_KIND.items()):
        return f"its graphs were made in another way, by Faiss {manifest.faiss}"
    if manifest.seq > head.seq:
        return "it is beyond the head of the log"
    if manifest.seq == head.seq:
        return ""
    with log_reader.connect(wanted.url, wanted.name) as connection:
        entry = log_reader.next_entry(connection, log, manifest.seq)
    return "" if entry and entry.seq == manifest.seq + 1 else "the log no longer continues it"


def restore(folder: Path, manifest: Manifest, index: VersionIndex) -> None:
    """Fill an empty index from a verified snapshot, or leave it empty. Raises SnapshotDamaged, Abandoned."""
    graphs = index.directory / folder.name
    try:
        graphs.mkdir()
        states = read_contents(folder, manifest.dimension, graphs)
        documents = sum(state.documents for state in states.values())
        digest = sum(state.digest for state in states.values()) % DIGEST_MODULUS
        if (documents, digest) != (manifest.documents, manifest.digest):
            raise ValueError("the documents are not those of the manifest")
        index.restore(states)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError) as error:
        shutil.rmtree(graphs, ignore_errors=True)
        if index.closed:
            raise Abandoned from error
        raise SnapshotDamaged(f"its files contradict one another: {error}") from error


def _set_aside(store: SnapshotStore, folder: Path, error: SnapshotDamaged) -> None:
    logger.error("snapshot %s is set aside as damaged: %s", folder.name, error)
    SNAPSHOTS.labels("damaged").inc()
    store.set_aside(folder)
