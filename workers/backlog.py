"""The texts that wait in this process, by lane and model, and the batches they belong to.

Equal texts of one lane and model wait as one `Work`. Not thread-safe: one thread admits, computes and answers.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count

from embedding_project.contracts.messages import EmbedBatch, EmbedReply, Lane
from embedding_project.contracts.model_spec import ModelSpec
from embedding_project.contracts.origins import Origins, distinct
from workers.batching import Budget, next_step
from workers.encoders.base import Tokens

MODEL_ERROR = "model_error"
"""The model could not embed this text."""
MODEL_UNAVAILABLE = "model_unavailable"
"""The model cannot be loaded here: no fault of any text."""

Outcome = bytes | str
"""A frame of `EmbeddedText`, or an error code."""


@dataclass(slots=True, eq=False)
class Ticket:
    """A batch and its outcomes so far."""

    batch: EmbedBatch
    raw: bytes
    """The message as it was popped, to be put back at a stop; empty when it has no way back."""
    outcomes: list[Outcome | None] = field(init=False)
    missing: int = field(init=False)
    admitted_ns: int = field(default_factory=time.time_ns)
    """Nanoseconds since the epoch."""

    def __post_init__(self) -> None:
        self.outcomes = [None] * len(self.batch.items)
        self.missing = len(self.batch.items)

    def settle(self, position: int, outcome: Outcome) -> None:
        self.outcomes[position] = outcome
        self.missing -= 1

    def reply(self) -> EmbedReply:
        outcomes = tuple(outcome for outcome in self.outcomes if outcome is not None)
        return EmbedReply(batch_id=self.batch.batch_id, outcomes=outcomes)


@dataclass(slots=True, eq=False)
class Work:
    """One text to compute, and everybody who waits for it."""

    cache_key: bytes
    tokens: Tokens
    arrival: int
    takers: list[tuple[Ticket, int]]

    @property
    def use_cache(self) -> bool:
        return any(ticket.batch.use_cache for ticket, _ in self.takers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Texts to be computed in one forward pass."""

    lane: Lane
    model: ModelSpec
    works: tuple[Work, ...]

    @property
    def origins(self) -> Origins:
        """The requests it is computed for."""
        return distinct(origin for work in self.works for ticket, _ in work.takers for origin in ticket.batch.origins)


_Waiting = dict[ModelSpec, dict[bytes, Work]]


class Backlog:
    def __init__(self) -> None:
        self._waiting: dict[Lane, _Waiting] = {lane: {} for lane in Lane}
        self._tickets: dict[int, Ticket] = {}
        self._arrivals = count()

    def held(self, lane: Lane) -> int:
        """Items of `lane` without an outcome yet."""
        return sum(ticket.missing for ticket in self._tickets.values() if ticket.batch.lane is lane)

    def waits(self, lane: Lane) -> bool:
        return bool(self._waiting[lane])

    def tickets(self) -> list[Ticket]:
        """Batches without an answer, oldest first."""
        return list(self._tickets.values())

    def join(self, ticket: Ticket, position: int) -> bool:
        """Let the item at `position` wait with an equal text; False when none waits."""
        batch = ticket.batch
        work = self._waiting[batch.lane].get(batch.model, {}).get(batch.items[position].cache_key)
        if work:
            work.takers.append((ticket, position))
            self._tickets[id(ticket)] = ticket
        return work is not None

    def add(self, ticket: Ticket, position: int, tokens: Tokens) -> None:
        """Let the item at `position` wait, together with an equal text if one waits."""
        if self.join(ticket, position):
            return
        batch = ticket.batch
        key = batch.items[position].cache_key
        work = Work(key, tokens, next(self._arrivals), [(ticket, position)])
        self._waiting[batch.lane].setdefault(batch.model, {})[key] = work
        self._tickets[id(ticket)] = ticket

    def take(self, lane: Lane, budget: Budget) -> Step:
        """The next step of `lane`, which must have texts waiting: around the oldest text, all of its model."""
        waiting = self._waiting[lane]
        model = min(waiting, key=lambda spec: next(iter(waiting[spec].values())).arrival)
        works = list(waiting[model].values())
        chosen = tuple(works[position] for position in next_step([len(work.tokens) for work in works], budget))
        for work in chosen:
            del waiting[model][work.cache_key]
        if not waiting[model]:
            del waiting[model]
        return Step(lane=lane, model=model, works=chosen)

    def settle(self, work: Work, outcome: Outcome) -> list[Ticket]:
        """Give `outcome` to everybody who waits for `work`; the batches that are now complete leave."""
        complete = []
        for ticket, position in work.takers:
            ticket.settle(position, outcome)
            if not ticket.missing:
                del self._tickets[id(ticket)]
                complete.append(ticket)
        return complete

    def drop_expired(self, now: float) -> list[Ticket]:
        """Forget the batches nobody waits for any more, and every text only they wanted."""
        expired = [ticket for ticket in self._tickets.values() if ticket.batch.deadline <= now]
        self.drop(expired)
        return expired

    def drop(self, tickets: Iterable[Ticket]) -> None:
        dropped = {id(ticket) for ticket in tickets}
        if not dropped:
            return
        for key in dropped:
            del self._tickets[key]
        for lane, waiting in self._waiting.items():
            self._waiting[lane] = {
                model: kept for model, works in waiting.items() if (kept := _without(works, dropped))
            }


def _without(works: dict[bytes, Work], dropped: set[int]) -> dict[bytes, Work]:
    for work in works.values():
        work.takers = [(ticket, position) for ticket, position in work.takers if id(ticket) not in dropped]
    return {key: work for key, work in works.items() if work.takers}
