"""Texts on their way to an embedder, each travelling once however many requests wait for it."""

import threading
import time
from dataclasses import dataclass, field

from embedding_project.contracts.messages import EmbedItem
from embedding_project.contracts.origins import Origins
from embedding_project.contracts.vectors import EmbeddedText

Outcome = EmbeddedText | str
"""The embedding, or an error code."""


class Countdown:
    """Lets one request wait until all of its texts have landed."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._lock = threading.Lock()
        self._done = threading.Event()
        if count == 0:
            self._done.set()

    def step(self) -> None:
        with self._lock:
            self._count -= 1
            if self._count == 0:
                self._done.set()

    def wait(self, seconds: float) -> bool:
        return self._done.wait(max(seconds, 0))


@dataclass(slots=True, eq=False)
class Flight:
    """One text of one model version under way. `land` may be called again; the first outcome counts."""

    item: EmbedItem
    deadline: float
    """Seconds since the epoch; who boarded first waits until then."""
    origins: Origins = ()
    """The requests that wait for it."""
    outcome: Outcome | None = None
    boarded: float = field(default_factory=time.monotonic)
    _waiting: list[Countdown] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def serves(self, deadline: float) -> bool:
        """Whether a request that can wait until `deadline` may share this flight: not one that is given up soon."""
        now = time.time()
        return self.deadline - now >= (deadline - now) / 2

    def join(self, countdown: Countdown) -> None:
        with self._lock:
            if self.outcome is None:
                self._waiting.append(countdown)
                return
        countdown.step()

    def land(self, outcome: Outcome) -> None:
        with self._lock:
            if self.outcome is not None:
                return
            self.outcome = outcome
            waiting, self._waiting = self._waiting, []
        for countdown in waiting:
            countdown.step()
