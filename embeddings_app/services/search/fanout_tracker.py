"""The life of every message to the shards: sent, answered, sent once more to who is late, given up.

The replica that took a message may have died or be frozen, so the others of its shard get it again: when the answer is
overdue, and once more after that. Then the searches go on without the shard. An answer that comes later still shows
that the shard lives.
"""

import logging
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from embedding_project.contracts.errors import ServiceError
from embedding_project.contracts.messages import SearchBatch, SearchReply
from embedding_project.observing.log_lines import place_of
from embedding_project.threads.waiter import on_the_wall
from embeddings_app.services.search.circuits import Circuits, ShardKey
from embeddings_app.services.search.hedging import AnswerTimes, HedgeBudget
from embeddings_app.services.search.metrics import HEDGES, UNANSWERED
from embeddings_app.services.search.shard_transport import ShardTransport
from embeddings_app.services.search.tickets import FanOut, SearchTicket

SHARD_PATIENCE_SECONDS = 0.8
"""How long searches wait for a shard once their message has left, hedges included."""
NEXT_HEDGE_SECONDS = 0.3
LONG_QUEUE = 4
"""Messages in a queue that make a hedge useless: its shard is not deaf, it is busy."""
SHARD_SILENT = "index_unavailable"
_NEVER = float("inf")
logger = logging.getLogger(__name__)


class FanOutTracker:
    """The open fan-outs of a process. One thread has to call `watch` for ever."""

    def __init__(self, transport: ShardTransport, clock: Callable[[], float] = time.monotonic) -> None:
        self._transport = transport
        self._clock = clock
        self._circuits = Circuits()
        self._times = AnswerTimes()
        self._budget = HedgeBudget()
        self._open: dict[str, FanOut] = {}
        """By the ids of their messages, hedges included."""
        self._wake_at = _NEVER
        self._changed = threading.Condition()
        """Guards all of the above but the transport, and what the fan-outs hold."""

    def send(self, tickets: list[SearchTicket], release: Callable[[], None]) -> None:
        """Send tickets of one model version, topology and set of shards; their outcomes say what became of them.

        `release` is called once, from any thread: when no shard is waited for any more, or one is overdue.
        """
        fanout = FanOut(tickets, release, self._clock())
        try:
            self._begin(fanout)
            if fanout.unheard:
                self._transport.send(fanout.layout, sorted(fanout.unheard), fanout.batch)
            self._plan(fanout)
        except ServiceError as error:
            self._fail(fanout, error.code)
        except Exception as error:  # noqa: BLE001
            # The slot must come back and every search must hear, whatever happened.
            logger.error("a fan-out could not be sent: %s", place_of(error))
            self._fail(fanout, "internal_error")

    def watch(self) -> None:
        """Take the steps that are due, or wait for the next."""
        with self._changed:
            self._wake_at = min((fanout.steps[0][0] for fanout in self._open.values() if fanout.steps), default=_NEVER)
            pause = self._wake_at - self._clock()
            if pause > 0:
                self._changed.wait(None if pause == _NEVER else pause)
                return
        self.take_due_steps()

    def take_due_steps(self) -> None:
        while (due := self._next_due()) is not None:
            fanout, step = due
            try:
                step(fanout)
            except ServiceError:
                # The broker is away. Whoever waits hears of it when the patience is over.
                continue

    def _begin(self, fanout: FanOut) -> None:
        """Say which shards get the message, and expect their answers."""
        fanout.batch = self._batch(fanout.tickets)
        now = fanout.sent_at
        with self._changed:
            silent = {shard for shard in fanout.missing if not self._circuits.waits_for(fanout.key(shard), now)}
            fanout.missing -= silent
            probes = {shard for shard in silent if self._circuits.take_probe(fanout.key(shard), now)}
        fanout.unheard = fanout.missing | {shard for shard in probes if self._is_empty(fanout.key(shard))}
        with self._changed:
            self._expect(fanout, fanout.batch.fanout_id)
            for shard in silent:
                fanout.give_up(shard, SHARD_SILENT)
            self._settle(fanout)

    def _batch(self, tickets: list[SearchTicket]) -> SearchBatch:
        return SearchBatch(
            fanout_id=uuid.uuid4().hex,
            inbox=self._transport.inbox,
            epoch=tickets[0].topology.epoch,
            deadline=on_the_wall(max(ticket.deadline for ticket in tickets)),
            queries=tuple(ticket.query for ticket in tickets),
            vectors=np.stack([ticket.vector for ticket in tickets]),
            origins=tuple(ticket.origin for ticket in tickets),
        )

    def _is_empty(self, key: ShardKey) -> bool:
        # What lies in the queue is the better probe, and a queue that nobody consumes must not grow.
        try:
            return self._transport.queue_length(key) == 0
        except ServiceError:
            return False

    def _plan(self, fanout: FanOut) -> None:
        """Say what happens when shards do not answer. The message has left."""
        left_at, lifetime = self._clock(), max(ticket.deadline for ticket in fanout.tickets) - time.monotonic()
        fanout.had_patience = lifetime >= SHARD_PATIENCE_SECONDS
        with self._changed:
            self._budget.earn()
            overdue_at = left_at + self._times.overdue_after
            fanout.steps.extend(
                (
                    (overdue_at, self._overdue),
                    (overdue_at + NEXT_HEDGE_SECONDS, self._hedge),
                    (left_at + SHARD_PATIENCE_SECONDS, self._give_up),
                    (left_at + max(SHARD_PATIENCE_SECONDS, lifetime), self._end),
                )
            )
            if fanout.ids and overdue_at < self._wake_at:
                self._wake_at = overdue_at
                self._changed.notify()

    def _next_due(self) -> tuple[FanOut, Callable[[FanOut], None]] | None:
        with self._changed:
            now = self._clock()
            for fanout in self._open.values():
                if fanout.steps and fanout.steps[0][0] <= now:
                    return fanout, fanout.steps.popleft()[1]
        return None

    def _overdue(self, fanout: FanOut) -> None:
        with self._changed:
            fanout.free_slot()
        self._hedge(fanout)

    def _hedge(self, fanout: FanOut) -> None:
        if fanout.tickets[0].topology.replicas < 2:
            return
        with self._changed:
            missing = sorted(fanout.missing)
        chosen = [shard for shard in missing if self._may_hedge(fanout.key(shard))]
        HEDGES.labels("withheld").inc(len(missing) - len(chosen))
        if not chosen:
            return
        # An id of its own, to know which message brought the answer.
        batch = replace(fanout.batch, fanout_id=uuid.uuid4().hex)
        with self._changed:
            if not fanout.missing:
                return
            self._expect(fanout, batch.fanout_id)
        self._transport.send(fanout.layout, chosen, batch)
        HEDGES.labels("sent").inc(len(chosen))

    def _may_hedge(self, key: ShardKey) -> bool:
        if self._transport.queue_length(key) >= LONG_QUEUE:
            return False
        with self._changed:
            return self._budget.take()

    def _give_up(self, fanout: FanOut) -> None:
        with self._changed:
            now = self._clock()
            for shard in sorted(fanout.missing):
                UNANSWERED.inc()
                fanout.give_up(shard, SHARD_SILENT)
                if fanout.had_patience:
                    # A message that came late may have been dropped by a shard that is well.
                    self._circuits.missed(fanout.key(shard), now)

    def _end(self, fanout: FanOut) -> None:
        with self._changed:
            unheard = [fanout.key(shard) for shard in fanout.unheard]
            self._close(fanout)
        # A queue that nobody consumes must not grow. Its messages, this one among them, are of no use any more.
        self._transport.drop_expired(unheard)

    def _on_reply(self, reply: SearchReply) -> None:
        with self._changed:
            fanout = self._open.get(reply.fanout_id)
            if fanout is None or reply.shard not in fanout.unheard or len(reply.outcomes) != len(fanout.tickets):
                return
            fanout.unheard.discard(reply.shard)
            self._circuits.answered(fanout.key(reply.shard))
            self._times.note(self._clock() - fanout.sent_at)
            if reply.shard in fanout.missing:
                fanout.land(reply)
                if reply.fanout_id != fanout.batch.fanout_id:
                    HEDGES.labels("won").inc()
            self._settle(fanout)

    def _expect(self, fanout: FanOut, fanout_id: str) -> None:
        fanout.ids.append(fanout_id)
        self._open[fanout_id] = fanout
        self._transport.expect(fanout_id, self._on_reply)

    def _fail(self, fanout: FanOut, code: str) -> None:
        with self._changed:
            for ticket in fanout.tickets:
                ticket.fail(code)
            self._close(fanout)

    def _settle(self, fanout: FanOut) -> None:
        if not fanout.missing:
            fanout.free_slot()
        if not fanout.unheard:
            self._close(fanout)

    def _close(self, fanout: FanOut) -> None:
        for fanout_id in fanout.ids:
            self._open.pop(fanout_id, None)
            self._transport.forget(fanout_id)
        fanout.ids.clear()
        fanout.steps.clear()
        fanout.free_slot()
