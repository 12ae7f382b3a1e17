"""Loads that no search waits for go one after the other on a machine, by a lock file: who dies gives it back."""

import fcntl
from pathlib import Path
from typing import IO

LOAD_TURN_FILE = "load.lock"


class LoadTurn:
    """Of one load, among those of all nodes of the machine."""

    def __init__(self, file: Path, most_seconds: float) -> None:
        """`file` is the same for all nodes. After `most_seconds` the load no longer waits."""
        self._file = file
        self._most_seconds = most_seconds
        self._held: IO[str] | None = None
        self._asked_at: float | None = None

    def take(self, now: float) -> bool:
        """Whether the load may begin. It is asked again and again until then."""
        if self._held:
            return True
        if self._asked_at is None:
            self._asked_at = now
        opened = self._file.open("a")
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            opened.close()
            return now - self._asked_at >= self._most_seconds
        self._held = opened
        return True

    def give_back(self) -> None:
        """Let the next one load."""
        if self._held:
            self._held.close()
        self._held = self._asked_at = None
