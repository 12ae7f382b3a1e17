"""A carrier takes searches to their shards and back: sent, answered, sent once more to who is late, given up.

The replica that took a message may have died or be frozen, so the others of its shard get it again: when the answer is
overdue, and once more after that. Then the searches go on without the shard. An answer that comes later still shows
that the shard lives.

A heavy search travels alone, and the shards have as much more patience as it costs. It is sent once more late, and only
when a replica has taken it. How long it takes says nothing of the health of a shard.
"""

import logging
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from embedding_project.broker.dispatch import search_messages
from embedding_project.broker.task_messages import QueuedMessage
from embedding_project.contracts.errors import ServiceError
from embedding_project.contracts.messages import SearchBatch, SearchReply
from embedding_project.contracts.queues import SearchLane
from embedding_project.observing.log_lines import place_of
from embedding_project.threads.waiter import on_the_wall
from embeddings_app.services.search.circuits import ShardKey
from embeddings_app.services.search.metrics import HEDGES, UNANSWERED
from embeddings_app.services.search.shard_health import ShardHealth
from embeddings_app.services.search.shard_link import ShardLink
from embeddings_app.services.search.tickets import FanOut, SearchTicket

SHARD_PATIENCE_SECONDS = 0.7
"""How long searches wait for a shard once their message has left, hedges included."""
NEXT_HEDGE_SECONDS = 0.3
LONG_QUEUE = 4
"""Messages in a queue that make a hedge useless: its shard is not deaf, it is busy."""
SHARD_SILENT = "index_unavailable"
TOO_SLOW = "too_slow"
"""Of a shard that did not finish a heavy search in time."""
HEAVY_PATIENCE = 4.0
"""Times the estimated cost of a heavy search that it may take beyond the patience of every search: nodes are busy, and
those of other processes go before."""
_LATE_HEDGE = 0.5
"""Of its patience, before a heavy search is sent once more."""
_HYDRATION_SECONDS = 0.1
"""Of the time of a heavy search, kept to make hits of what came."""
_REMEMBERED = 64
"""Fan-outs that ended without a shard, of which an answer is still understood."""
logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Step:
    """What is to be done, and when, while shards are missing."""

    at: float
    take: Callable[[FanOut], list[QueuedMessage]]
    """Gives the messages to send now."""


class Carrier:
    """Carries one fan-out at a time, for one thread at a time."""

    def __init__(self, link: ShardLink, health: ShardHealth, clock: Callable[[], float] = time.monotonic) -> None:
        self._link = link
        self._health = health
        self._clock = clock
        self._late: deque[FanOut] = deque(maxlen=_REMEMBERED)

    def carry(self, tickets: Sequence[SearchTicket], on_overdue: Callable[[], None]) -> None:
        """Give an outcome for each shard to all of `tickets`, which are of one model version, topology and set of
        shards. `on_overdue` is called when a shard is overdue: others need not wait for this fan-out."""
        try:
            self._clear_deserted_queues()
            self._carry(tickets, on_overdue)
        except ServiceError as error:
            _fail(tickets, error.code)
        except Exception as error:  # noqa: BLE001
            # Every search must hear, whatever happened.
            logger.error("a fan-out could not be carried: %s", place_of(error))
            _fail(tickets, "internal_error")

    def _carry(self, tickets: Sequence[SearchTicket], on_overdue: Callable[[], None]) -> None:
        patience = _patience(tickets)
        if not patience:
            # A broker that is silent took the time, and would take as much again.
            _fail(tickets, TOO_SLOW if tickets[0].lane is SearchLane.HEAVY else SHARD_SILENT)
            return
        fanout = FanOut(tickets, self._batch(tickets, patience))
        self._choose_shards(fanout)
        if not fanout.unheard:
            return
        fanout.had_patience = patience >= SHARD_PATIENCE_SECONDS
        sent_at, last = self._clock(), max(ticket.deadline for ticket in tickets)
        messages = self._messages(fanout, fanout.unheard, fanout.batch)
        steps = self._steps(sent_at, patience, fanout, on_overdue)
        try:
            # A fan-out of probes alone is sent, and not waited for.
            while fanout.missing or messages:
                pause = steps[0].at - self._clock() if fanout.missing else 0.0
                for reply in self._link.exchange(messages, pause, last):
                    self._land(fanout, reply, sent_at)
                messages = []
                while fanout.missing and steps[0].at <= self._clock():
                    messages += steps.popleft().take(fanout)
        finally:
            if fanout.unheard:
                self._late.append(fanout)

    def _messages(self, fanout: FanOut, shards: Iterable[int], batch: SearchBatch) -> list[QueuedMessage]:
        return search_messages(fanout.layout, sorted(shards), batch, fanout.lane)

    def _batch(self, tickets: Sequence[SearchTicket], patience: float) -> SearchBatch:
        heavy = tickets[0].lane is SearchLane.HEAVY
        # A shard need not scan for longer than it is waited for. The late answer of a light search shows that it lives.
        until = time.monotonic() + patience if heavy else max(ticket.deadline for ticket in tickets)
        return SearchBatch(
            fanout_id=uuid.uuid4().hex,
            inbox=self._link.inbox,
            epoch=tickets[0].topology.epoch,
            deadline=on_the_wall(until),
            queries=tuple(ticket.query for ticket in tickets),
            vectors=np.stack([ticket.vector for ticket in tickets]),
            origins=tuple(ticket.origin for ticket in tickets),
        )

    def _choose_shards(self, fanout: FanOut) -> None:
        """Say which shards get the message, and give up those that no search waits for."""
        now = self._clock()
        silent = self._health.silent([fanout.key(shard) for shard in fanout.missing], now)
        probes = set() if fanout.heavy else {key.shard for key in silent if self._takes_probe(fanout, key, now)}
        for key in silent:
            fanout.give_up(key.shard, SHARD_SILENT)
        fanout.unheard = fanout.missing | probes

    def _takes_probe(self, fanout: FanOut, key: ShardKey, now: float) -> bool:
        # What lies in the queue is the better probe, and a queue that nobody consumes must not grow.
        try:
            return self._health.take_probe(key, now) and self._link.queue_length(fanout.queue(key.shard)) == 0
        except ServiceError:
            return False

    def _steps(self, sent_at: float, patience: float, fanout: FanOut, on_overdue: Callable[[], None]) -> deque[_Step]:
        """In the order of their times. Nobody is waited for beyond the last deadline of the searches."""
        give_up = _Step(sent_at + patience, self._give_up)
        if fanout.heavy:
            return deque((_Step(sent_at + _LATE_HEDGE * patience, self._hedge), give_up))
        overdue_at = sent_at + self._health.overdue_after()

        def overdue(fanout: FanOut) -> list[QueuedMessage]:
            on_overdue()
            return self._hedge(fanout)

        steps = (_Step(overdue_at, overdue), _Step(overdue_at + NEXT_HEDGE_SECONDS, self._hedge), give_up)
        return deque(sorted(steps, key=lambda step: step.at))

    def _hedge(self, fanout: FanOut) -> list[QueuedMessage]:
        if fanout.tickets[0].topology.replicas < 2:
            return []
        chosen = [shard for shard in sorted(fanout.missing) if self._may_hedge(fanout, shard)]
        HEDGES.labels("withheld").inc(len(fanout.missing) - len(chosen))
        if not chosen:
            return []
        HEDGES.labels("sent").inc(len(chosen))
        # An id of its own, to know which message brought the answer.
        batch = replace(fanout.batch, fanout_id=uuid.uuid4().hex)
        fanout.ids.add(batch.fanout_id)
        return self._messages(fanout, chosen, batch)

    def _may_hedge(self, fanout: FanOut, shard: int) -> bool:
        # A heavy search that lies in the queue waits for others, whichever replica takes it.
        too_long = 1 if fanout.heavy else LONG_QUEUE
        try:
            return self._link.queue_length(fanout.queue(shard)) < too_long and self._health.take_hedge()
        except ServiceError:
            # The broker is slow or away. Who waits hears of it when the patience is over.
            return False

    def _give_up(self, fanout: FanOut) -> list[QueuedMessage]:
        now = self._clock()
        for shard in sorted(fanout.missing):
            UNANSWERED.inc()
            if fanout.heavy:
                fanout.give_up(shard, TOO_SLOW)
                continue
            fanout.give_up(shard, SHARD_SILENT)
            if fanout.had_patience:
                # A message that came late may have been dropped by a shard that is well.
                self._health.missed(fanout.key(shard), now)
        return []

    def _land(self, current: FanOut, reply: SearchReply, sent_at: float) -> None:
        fanout = next((one for one in (current, *self._late) if reply.fanout_id in one.ids), None)
        if fanout is None or reply.shard not in fanout.unheard or len(reply.outcomes) != len(fanout.tickets):
            return
        fanout.unheard.discard(reply.shard)
        if not fanout.heavy:
            self._health.answered(fanout.key(reply.shard), self._clock() - sent_at if fanout is current else None)
        if reply.shard in fanout.missing:
            fanout.land(reply)
            if reply.fanout_id != fanout.batch.fanout_id:
                HEDGES.labels("won").inc()

    def _clear_deserted_queues(self) -> None:
        """A queue that nobody consumes must not grow. The messages of a fan-out whose deadline is over, and those
        before them, are of no use any more."""
        while self._late and self._late[0].deadline <= time.monotonic():
            fanout = self._late.popleft()
            try:
                self._link.drop_expired(fanout.queue(shard) for shard in fanout.unheard)
            except ServiceError:
                # The search that is to be carried now must not fail for this; a later fan-out clears the queue too.
                return


def _patience(tickets: Sequence[SearchTicket]) -> float:
    """How long the searches wait for a shard from now on, in seconds."""
    left = max(max(ticket.deadline for ticket in tickets) - time.monotonic(), 0.0)
    if tickets[0].lane is SearchLane.LIGHT:
        return min(SHARD_PATIENCE_SECONDS, left)
    cost = max(ticket.microseconds for ticket in tickets) / 1_000_000
    return min(SHARD_PATIENCE_SECONDS + HEAVY_PATIENCE * cost, max(left - _HYDRATION_SECONDS, 0.0))


def _fail(tickets: Sequence[SearchTicket], code: str) -> None:
    for ticket in tickets:
        ticket.fail(code)
