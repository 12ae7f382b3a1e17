"""One model version as the follower sees it: its index, and how far that has followed the log."""

import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Literal

import psycopg

from index_nodes.collection import DocumentState
from index_nodes.feed import Connection, Head, Log, open_load, read_changes
from index_nodes.serving import MAX_LAG_SECONDS, NEVER, ServedVersion
from index_nodes.version_index import VersionIndex

logger = logging.getLogger(__name__)
State = Literal["loading", "ready", "behind"]


class LogBroken(Exception):
    """The log does not continue where the index ends, so the index must be made anew."""


class FollowedVersion:
    """Loaded piece by piece, so that the follower can look after other versions and its heartbeat in between."""

    def __init__(self, log: Log, index: VersionIndex) -> None:
        self.log = log
        self.index = index
        self.applied = 0
        self.caught_up_at = NEVER
        self.announced_at = float("inf")
        self._loading = True
        self._head_at_load = 0
        self._pieces: Iterator[list[DocumentState]] | None = None
        self._resources = ExitStack()

    def close(self) -> None:
        """Give up the index, in the middle of loading too."""
        try:
            self._resources.close()
        except psycopg.Error as error:
            logger.info("a load was given up: %s", type(error).__name__)
        self.index.close()

    def state(self, now: float) -> State:
        if self._loading:
            return "loading"
        return "ready" if now - self.caught_up_at < MAX_LAG_SECONDS else "behind"

    def served(self) -> ServedVersion:
        return ServedVersion(index=self.index, caught_up_at=self.caught_up_at, announced_at=self.announced_at)

    def announce(self, now: float, renewed: bool) -> bool:
        """Note that a heartbeat judged at `now` was written; whether it is the one that made this version ready.
        `renewed` when earlier heartbeats had become too old to count."""
        if self.state(now) != "ready":
            self.announced_at = float("inf")
            return False
        if not renewed and self.announced_at < float("inf"):
            return False
        self.announced_at = time.monotonic()
        return True

    def load_piece(self, url: str, name: str, epoch: str, now: float) -> bool:
        """Take in the next rows of the table while loading; False when it is loaded. Raises psycopg.Error, LogMoved."""
        if not self._loading:
            return False
        if self._pieces is None:
            opened = open_load(url, name, self.log, epoch)
            self._head_at_load, self._pieces = self._resources.enter_context(opened)
        piece = next(self._pieces, None)
        if piece is not None:
            self.index.apply(piece, now)
            return True
        self._resources.close()
        self.applied = self._head_at_load
        self._loading = False
        return True

    def follow(self, connection: Connection, head: Head, asked_at: float) -> bool:
        """Apply what is new in the log; whether there was anything. Raises psycopg.Error, LogBroken."""
        if self.applied > head.seq:
            raise LogBroken(f"applied {self.applied} is beyond the head {head.seq}")
        if self.applied == head.seq:
            self.caught_up_at = asked_at
            return False
        changes = read_changes(connection, self.log, self.applied, head.dimension)
        seqs = [seq for seq, _ in changes]
        if not seqs or seqs != list(range(self.applied + 1, self.applied + 1 + len(seqs))):
            raise LogBroken(f"there is a gap after {self.applied}, before the head {head.seq}")
        self.index.apply([state for _, state in changes], asked_at)
        self.applied = seqs[-1]
        if self.applied >= head.seq:
            self.caught_up_at = asked_at
        return True
