"""The texts that wait to be computed, by lane and model: one thread tokenises them, others take them in steps.

A step is chosen when it is taken, not before. So a text that came during the last step may be in the next one,
interactive texts wait for one step at most, and texts after their deadline are left out.
Equal texts of one lane and model wait as one `Work`. What waits is shared out among the threads that are free.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count, islice

from embedding_project.contracts.messages import Lane
from embedding_project.contracts.model_spec import ModelSpec
from embedding_project.contracts.origins import Origins, distinct
from workers.batching import Budget, cost, next_lane, next_step
from workers.encoders.base import Encoder, Tokens
from workers.pace import Pace
from workers.tickets import Ticket


@dataclass(slots=True, eq=False)
class Work:
    """One text to compute, and all items that wait for it."""

    cache_key: bytes
    tokens: Tokens
    length: int
    arrival: int
    arrived: float
    """Of the monotonic clock."""
    takers: list[tuple[Ticket, int]]
    deadline: float
    """The latest deadline of its takers: after it nobody waits for the text."""
    use_cache: bool
    """Whether any taker wants the vector in the cache."""

    def join(self, ticket: Ticket, position: int) -> None:
        self.takers.append((ticket, position))
        self.deadline = max(self.deadline, ticket.batch.deadline)
        self.use_cache = self.use_cache or ticket.batch.use_cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The texts of one forward pass."""

    lane: Lane
    model: ModelSpec
    encoder: Encoder
    works: tuple[Work, ...]
    budget: Budget
    cores: int
    """One, or all of them for a text that is alone: then no other step is given until this one is finished."""

    @property
    def origins(self) -> Origins:
        """The requests that wait for its texts."""
        tickets = dict.fromkeys(ticket for work in self.works for ticket, _ in work.takers)
        return distinct(origin for ticket in tickets for origin in ticket.batch.origins)

    @property
    def tokens(self) -> int:
        return sum(work.length for work in self.works)

    @property
    def cost(self) -> int:
        """In tokens, with padding if the encoder pads."""
        return cost([work.length for work in self.works], padded=self.encoder.padded)

    @property
    def oldest(self) -> float:
        """When its oldest text arrived."""
        return min(work.arrived for work in self.works)


@dataclass(slots=True, eq=False)
class _Queue:
    """The texts that wait for one model, oldest first."""

    encoder: Encoder
    works: dict[bytes, Work] = field(default_factory=dict)
    tokens: int = 0

    def remove(self, works: Sequence[Work]) -> None:
        for work in works:
            del self.works[work.cache_key]
            self.tokens -= work.length


class Backlog:
    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._queues: dict[Lane, dict[ModelSpec, _Queue]] = {lane: {} for lane in Lane}
        self._arrivals = count()
        self._interactive_in_a_row = 0
        self._running = 0
        self._all_cores_taken = False
        self._closed = False
        self._changed = threading.Condition()

    @property
    def closed(self) -> bool:
        return self._closed

    def items(self, lane: Lane) -> int:
        with self._changed:
            return sum(len(queue.works) for queue in self._queues[lane].values())

    def seconds(self, lane: Lane) -> float:
        """How long it will take to compute the texts that wait in `lane`."""
        with self._changed:
            waiting = [(model, queue.tokens) for model, queue in self._queues[lane].items()]
        return sum(tokens / self._pace.tokens_per_second(model) for model, tokens in waiting)

    def join(self, ticket: Ticket) -> list[int]:
        """Let items of `ticket` wait with equal texts; returns the positions of the items without an equal text."""
        batch = ticket.batch
        with self._changed:
            queue = self._queues[batch.lane].get(batch.model)
            if queue is None:
                return list(range(len(batch.items)))
            fresh = []
            for position, item in enumerate(batch.items):
                work = queue.works.get(item.cache_key)
                if work is None:
                    fresh.append(position)
                else:
                    work.join(ticket, position)
        return fresh

    def add(self, ticket: Ticket, encoder: Encoder, tokenized: Sequence[tuple[int, Tokens]]) -> None:
        """Let items of `ticket`, by position and at least one, wait for `encoder`; equal texts wait together."""
        batch, now = ticket.batch, time.monotonic()
        with self._changed:
            queue = self._queues[batch.lane].setdefault(batch.model, _Queue(encoder))
            for position, tokens in tokenized:
                key = batch.items[position].cache_key
                work = queue.works.get(key)
                if work is not None:
                    work.join(ticket, position)
                    continue
                length = len(tokens)
                takers = [(ticket, position)]
                arrival = next(self._arrivals)
                queue.works[key] = Work(key, tokens, length, arrival, now, takers, batch.deadline, batch.use_cache)
                queue.tokens += length

    def take(self, now: float) -> Step | None:
        """The next step, of the lane whose turn it is; None when nothing waits, or all cores are taken. `now`: seconds
        since the epoch. It must be given back to `finished`."""
        with self._changed:
            while not self._closed and not self._all_cores_taken and (lane := self._next_lane()) is not None:
                step = self._take_from(lane, now)
                if step:
                    self._interactive_in_a_row = self._interactive_in_a_row + 1 if lane is Lane.INTERACTIVE else 0
                    self._running += 1
                    self._all_cores_taken = step.cores > 1
                    return step
        return None

    def finished(self, step: Step) -> None:
        """The thread that took `step` is free again."""
        with self._changed:
            self._running -= 1
            if step.cores > 1:
                self._all_cores_taken = False
                self._changed.notify_all()

    def announce(self) -> None:
        """Wake the threads in `wait`. Called once after many texts, so that the first one is not taken alone."""
        with self._changed:
            self._changed.notify_all()

    def wait(self, seconds: float) -> None:
        """Return when texts wait and were announced, or after `seconds`."""
        with self._changed:
            self._changed.wait_for(self._to_do, seconds)

    def _to_do(self) -> bool:
        return self._closed or (any(self._queues.values()) and not self._all_cores_taken)

    def close(self) -> None:
        """Forget all waiting texts, and give no more steps."""
        with self._changed:
            self._closed = True
            for queues in self._queues.values():
                queues.clear()
            self._changed.notify_all()

    def _next_lane(self) -> Lane | None:
        return next_lane(
            interactive=bool(self._queues[Lane.INTERACTIVE]),
            bulk=bool(self._queues[Lane.BULK]),
            interactive_in_a_row=self._interactive_in_a_row,
        )

    def _take_from(self, lane: Lane, now: float) -> Step | None:
        """A step with the oldest text and others of its model; None when all texts of the window had expired."""
        queues = self._queues[lane]
        model = min(queues, key=lambda spec: next(iter(queues[spec].works.values())).arrival)
        queue = queues[model]
        budget = self._share_of(queue, self._pace.budget(model))
        oldest = list(islice(queue.works.values(), budget.window))
        waited_for = [work for work in oldest if work.deadline > now]
        chosen: list[Work] = []
        if waited_for:
            positions = next_step([work.length for work in waited_for], budget, padded=queue.encoder.padded)
            chosen = [waited_for[position] for position in positions]
        queue.remove([work for work in oldest if work.deadline <= now])
        queue.remove(chosen)
        if not queue.works:
            del queues[model]
        if not chosen:
            return None
        cores = self._pace.threads if len(chosen) == 1 and self._alone(queue.encoder) else 1
        return Step(lane=lane, model=model, encoder=queue.encoder, works=tuple(chosen), budget=budget, cores=cores)

    def _share_of(self, queue: _Queue, budget: Budget) -> Budget:
        """The budget of one thread, when those that are free share out what waits in `queue`."""
        free = max(self._pace.threads - self._running, 1)
        share = max(-(-queue.tokens // free), self._pace.limits.least_tokens)
        return replace(budget, tokens=min(budget.tokens, share))

    def _alone(self, encoder: Encoder) -> bool:
        """Whether nothing else is computed or waits. An encoder without weights has no use for cores."""
        return not self._running and not any(self._queues.values()) and encoder.memory_bytes > 0
