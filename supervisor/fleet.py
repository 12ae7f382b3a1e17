"""A group of supervised processes that are started in order, watched together and stopped in reverse order."""

import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from supervisor.logs import Console
from supervisor.process import Child, ProcessSpec, launched

_POLL_SECONDS = 0.02


class Fleet:
    """Processes that live and end together. Not thread-safe: the supervisor's thread is its only caller."""

    def __init__(self, log_dir: Path, console: Console, on_change: Callable[[], None] = lambda: None) -> None:
        """`on_change` is called whenever the set of pids changed."""
        self.children: list[Child] = []
        self._log_dir = log_dir
        self._console = console
        self._on_change = on_change

    def add(self, spec: ProcessSpec) -> Child:
        """Start a process and keep it alive from now on."""
        child = launched(spec, self._log_dir, self._console)
        self.children.append(child)
        self._on_change()
        return child

    def tick(self) -> None:
        """Restart what died; call this a few times a second."""
        changed = [child.tick() for child in self.children]
        if any(changed):
            self._on_change()

    def pids(self) -> dict[str, int]:
        """The processes that live now."""
        return {child.spec.name: child.pid for child in self.children if child.pid is not None}

    def stop(self) -> None:
        """Walk every process down its stop ladder, all at the same time, the last one started first."""
        self.end(self.children)

    def end(self, children: Sequence[Child]) -> None:
        """The same for some of the processes, which are not kept alive any longer."""
        ending = list(children)
        began = time.monotonic()
        waiting = {child: _schedule(child.spec) for child in reversed(ending)}
        while waiting:
            elapsed = time.monotonic() - began
            for child in [child for child in waiting if child.pid is None]:
                del waiting[child]
            for child, steps in waiting.items():
                while steps and elapsed >= steps[0][0]:
                    _take(child, steps.pop(0)[1])
            time.sleep(_POLL_SECONDS)
        for child in ending:
            child.finish()
            self.children.remove(child)
        self._on_change()


def _schedule(spec: ProcessSpec) -> list[tuple[float, signal.Signals]]:
    steps, at = [], 0.0
    for number, seconds in spec.stop_ladder:
        steps.append((at, number))
        at += seconds
    return [*steps, (at, signal.SIGKILL)]


def _take(child: Child, number: signal.Signals) -> None:
    if number == signal.SIGKILL:
        child.sweep_group()
    else:
        child.send(number)
