"""Texts on their way to an embedder, each travelling once however many requests wait for it."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from embedding_project.contracts.messages import EmbedItem, Lane
from embedding_project.contracts.model_spec import ModelSpec
from embedding_project.contracts.origins import Origins
from embedding_project.contracts.vectors import EmbeddedText
from embedding_project.threads.waiter import Waiter

Outcome = EmbeddedText | str
"""The embedding, or an error code."""


@dataclass(frozen=True, slots=True)
class StreamKey:
    """Texts may share a batch when all of this is equal."""

    model: ModelSpec
    lane: Lane
    use_cache: bool


_lock = threading.Lock()
"""Of all flights and countdowns: taken once for each request that boards and each batch that lands."""


class Countdown:
    """Lets one request wait until all of its texts have landed: it wakes up once."""

    def __init__(self, flights: "Sequence[Flight]", deadline: float) -> None:
        self._waiter = Waiter(deadline)
        with _lock:
            self._count = 0
            for flight in flights:
                if flight.outcome is None:
                    flight.waiting.append(self)
                    self._count += 1
            if not self._count:
                self._waiter.wake()

    def step(self) -> None:
        """One of the texts has landed. The lock is held."""
        self._count -= 1
        if not self._count:
            self._waiter.wake()

    def wait(self) -> bool:
        return self._waiter.wait()


@dataclass(slots=True, eq=False)
class Flight:
    """One text of one model version under way."""

    item: EmbedItem
    deadline: float
    """Monotonic seconds; who boarded first waits until then."""
    origins: Origins = ()
    """The requests that wait for it."""
    outcome: Outcome | None = None
    boarded: float = field(default_factory=time.monotonic)
    waiting: list[Countdown] = field(default_factory=list)

    def serves(self, deadline: float) -> bool:
        """Whether a request that can wait until `deadline` may share this flight: not one that is given up soon."""
        now = time.monotonic()
        return self.deadline - now >= (deadline - now) / 2


def land(flights: Sequence[Flight], outcomes: Sequence[Outcome]) -> None:
    """Give each flight its outcome and wake who has waited for the last one. The first outcome counts."""
    with _lock:
        for flight, outcome in zip(flights, outcomes, strict=True):
            if flight.outcome is None:
                flight.outcome = outcome
                waiting, flight.waiting = flight.waiting, []
                for countdown in waiting:
                    countdown.step()
