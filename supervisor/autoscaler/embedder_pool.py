"""The embedders of one autoscaler: started by number, restarted when they die, let go without haste."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

from supervisor.logs import Console
from supervisor.process import Child, ProcessSpec, launched

LET_GO_SECONDS = 30.0
"""An embedder that was asked to end computes what it holds or gives it back. Only one that hangs is killed."""
_POLL_SECONDS = 0.05


class EmbedderPool:
    """Not thread-safe: the thread that made it is its only caller."""

    def __init__(self, role: Callable[[int], ProcessSpec], first: int, log_dir: Path, console: Console) -> None:
        """`role` describes the embedder of a number; the pool uses numbers from `first` on."""
        self._role = role
        self._first = first
        self._log_dir = log_dir
        self._console = console
        self._working: list[Child] = []
        self._leaving: dict[Child, float] = {}

    @property
    def size(self) -> int:
        """Embedders that were not asked to end."""
        return len(self._working)

    def resize(self, wanted: int) -> None:
        """Start or let go of as many as needed, the newest first."""
        while len(self._working) < wanted:
            self._start()
        while len(self._working) > wanted:
            self._let_go(self._working.pop())

    def tick(self) -> None:
        """Restart what died, bury what has ended; call this a few times a second."""
        for child in self._working:
            child.tick()
        now = time.monotonic()
        for child, until in list(self._leaving.items()):
            if child.pid is not None and now < until:
                continue
            if child.pid is not None:
                self._console.say(f"{child.spec.name}: did not end in {LET_GO_SECONDS:g} s, killed")
            child.finish()
            del self._leaving[child]

    def stop(self) -> None:
        """Let go of all and return when they are gone."""
        self.resize(0)
        while self._leaving:
            self.tick()
            time.sleep(_POLL_SECONDS)

    def _start(self) -> None:
        taken = {child.spec.name for child in (*self._working, *self._leaving)}
        number = self._first
        while (spec := self._role(number)).name in taken:
            number += 1
        self._console.say(f"{spec.name}: starting")
        self._working.append(launched(spec, self._log_dir, self._console))

    def _let_go(self, child: Child) -> None:
        self._console.say(f"{child.spec.name}: asked to end")
        child.send(signal.SIGTERM)
        self._leaving[child] = time.monotonic() + LET_GO_SECONDS
