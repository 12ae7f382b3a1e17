"""Loads that no search waits for go one after the other on a machine, by a lock file: who dies gives it back."""

import fcntl
import logging
from pathlib import Path
from typing import IO

LOAD_TURN_FILE = "load.lock"
logger = logging.getLogger(__name__)


class LoadTurn:
    """Of one load, among those of all nodes of the machine."""

    def __init__(self, file: Path, most_seconds: float) -> None:
        """`file` is the same for all nodes. After `most_seconds` the load no longer waits, be the turn that of another
        one or such that the file cannot be locked."""
        self._file = file
        self._most_seconds = most_seconds
        self._held: IO[str] | None = None
        self._asked_at: float | None = None
        self._problem = ""

    def take(self, now: float) -> bool:
        """Whether the load may begin. It is asked again and again until then."""
        if self._asked_at is None:
            self._asked_at = now
        if self._held is None:
            self._held = self._locked()
        return self._held is not None or now - self._asked_at >= self._most_seconds

    def give_back(self) -> None:
        """Let the next one load."""
        if self._held:
            self._held.close()
        self._held = self._asked_at = None

    def _locked(self) -> IO[str] | None:
        try:
            opened = self._file.open("a")
        except OSError as error:
            self._tell(error)
            return None
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            opened.close()
            if not isinstance(error, BlockingIOError):
                self._tell(error)
            return None
        return opened

    def _tell(self, error: OSError) -> None:
        if self._problem != str(error):
            logger.warning("a load does not get its turn: %s", error)
        self._problem = str(error)
