"""The embedder itself: batches are admitted, computed step by step, and answered when their last text is done.

Used by one thread. It knows neither queues nor Celery; the drainer and the task feed it.
"""

import logging
import time
from collections.abc import Callable, Mapping

from embedding_project import tracing
from embedding_project.contracts.messages import EmbedBatch, Lane, Purpose
from embedding_project.request_context import serving
from embedding_project.vector_cache import VectorCache
from workers.backlog import MODEL_UNAVAILABLE, Backlog, Outcome, Step, Ticket
from workers.batching import Budget, next_lane
from workers.compute import outcomes
from workers.encoders.base import ModelError
from workers.metrics import (
    BATCH_ITEMS,
    BATCHES,
    ITEMS,
    PADDED_TOKENS,
    STEP_ITEMS,
    STEP_SECONDS,
    TOKENIZE_SECONDS,
    TOKENS,
)
from workers.model_pool import ModelPool
from workers.outbox import Outbox
from workers.requests import tokenize_reply, tokens_of
from workers.speedometer import speedometer

MAX_HELD_ITEMS = 256
"""Per lane. More than this is better left in the queue, where another embedder can take it."""
logger = logging.getLogger(__name__)


class Embedder:
    def __init__(
        self,
        models: ModelPool,
        cache: VectorCache,
        outbox: Outbox,
        budgets: Mapping[Lane, Budget],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._models = models
        self._cache = cache
        self._outbox = outbox
        self._budgets = budgets
        self._clock = clock
        self._backlog = Backlog()
        self._interactive_in_a_row = 0

    @property
    def idle(self) -> bool:
        return not any(self._backlog.waits(lane) for lane in Lane)

    def room(self, lane: Lane) -> int:
        """How many more items of `lane` this embedder wants to hold."""
        return max(MAX_HELD_ITEMS - self._backlog.held(lane), 0)

    def admit(self, batch: EmbedBatch, raw: bytes = b"") -> None:
        """Tokenise `batch` and let it wait for its turn; a batch nobody waits for any more is dropped."""
        ticket = Ticket(batch, raw)
        if batch.deadline <= self._clock():
            BATCHES.labels(batch.lane, "expired").inc()
            return
        if batch.purpose is Purpose.TOKENIZE:
            self._outbox.add(batch, tokenize_reply(self._models, batch))
            return
        BATCH_ITEMS.labels(batch.lane).observe(len(batch.items))
        with serving(batch.origins):
            self._enqueue(ticket)
        if not ticket.missing:
            self._answer(ticket)

    def _enqueue(self, ticket: Ticket) -> None:
        batch = ticket.batch
        fresh = [position for position in range(len(batch.items)) if not self._backlog.join(ticket, position)]
        try:
            encoder = self._models.get(batch.model)
        except ModelError:
            for position in fresh:
                self._fail(ticket, position, MODEL_UNAVAILABLE)
            return
        with TOKENIZE_SECONDS.labels(batch.lane).time():
            tokenized = tokens_of(encoder, [batch.items[position] for position in fresh])
        for position, tokens in zip(fresh, tokenized, strict=True):
            if isinstance(tokens, str):
                self._fail(ticket, position, tokens)
            else:
                self._backlog.add(ticket, position, tokens)

    def step(self) -> bool:
        """Compute the next step and hand complete batches to the outbox; False when nothing waits."""
        for ticket in self._backlog.drop_expired(self._clock()):
            BATCHES.labels(ticket.batch.lane, "expired").inc()
        lane = next_lane(
            interactive=self._backlog.waits(Lane.INTERACTIVE),
            bulk=self._backlog.waits(Lane.BULK),
            interactive_in_a_row=self._interactive_in_a_row,
        )
        if lane is None:
            return False
        self._interactive_in_a_row = self._interactive_in_a_row + 1 if lane is Lane.INTERACTIVE else 0
        step = self._backlog.take(lane, self._budgets[lane])
        with serving(step.origins):
            computed = self._computed(step)
        self._finish(step, computed)
        return True

    def _computed(self, step: Step) -> list[Outcome]:
        batch = [work.tokens for work in step.works]
        STEP_ITEMS.labels(step.lane).observe(len(batch))
        tokens = sum(map(len, batch))
        TOKENS.labels(step.lane).inc(tokens)
        PADDED_TOKENS.labels(step.lane).inc(len(batch) * max(map(len, batch)))
        try:
            encoder = self._models.get(step.model)
        except ModelError:
            return [MODEL_UNAVAILABLE] * len(batch)
        with STEP_SECONDS.labels(step.lane).time(), speedometer.step(step.model, tokens):
            return outcomes(encoder, batch)

    def _finish(self, step: Step, computed: list[Outcome]) -> None:
        frames = {
            work.cache_key: outcome
            for work, outcome in zip(step.works, computed, strict=True)
            if work.use_cache and isinstance(outcome, bytes)
        }
        if frames:
            self._cache.put_many(frames)
        for work, outcome in zip(step.works, computed, strict=True):
            name = "embedded" if isinstance(outcome, bytes) else outcome
            ITEMS.labels(step.lane, name).inc(len(work.takers))
            for ticket in self._backlog.settle(work, outcome):
                self._answer(ticket)

    def _fail(self, ticket: Ticket, position: int, code: str) -> None:
        ITEMS.labels(ticket.batch.lane, code).inc()
        ticket.settle(position, code)

    def _answer(self, ticket: Ticket) -> None:
        batch = ticket.batch
        BATCHES.labels(batch.lane, "answered").inc()
        tracing.record("embed", batch.origins, ticket.admitted_ns, lane=batch.lane, texts=len(batch.items))
        with serving(batch.origins):
            milliseconds = (time.time_ns() - ticket.admitted_ns) / 1e6
            logger.debug("answered a batch of %d texts after %.1f ms", len(batch.items), milliseconds)
        self._outbox.add(batch, ticket.reply())

    def surrender(self) -> list[Ticket]:
        """Let go of every batch without an answer, oldest first, to be put back where they came from."""
        tickets = self._backlog.tickets()
        self._backlog.drop(tickets)
        for ticket in tickets:
            BATCHES.labels(ticket.batch.lane, "requeued").inc()
        return tickets
