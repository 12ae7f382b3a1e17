"""The embedder itself: it admits batches, computes them step by step, and answers each after its last text.

One thread uses it; others may take steps from its backlog. It knows neither queues nor Celery.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from embedding_project.contracts.messages import EmbedBatch, Lane, Purpose
from embedding_project.contracts.model_spec import ModelSpec
from embedding_project.contracts.vectors import frame
from embedding_project.observing import tracing
from embedding_project.observing.request_context import serving
from embedding_project.vector_cache import VectorCache
from workers.backlog import Backlog
from workers.compute import Computed, compute
from workers.encoders.base import Encoder, ModelAway, ModelError, ModelLoading
from workers.metrics import BATCH_ITEMS, BATCHES, ITEMS, TOKENIZE_SECONDS
from workers.model_pool import ModelPool
from workers.offenders import Offenders
from workers.outbox import Outbox
from workers.pace import Pace
from workers.requests import described, tokens_of
from workers.tickets import MODEL_ERROR, MODEL_UNAVAILABLE, NOT_COMPUTED, Outcome, Ticket

MAX_WAITING_SECONDS = 0.4
"""Per lane. More work stays in the queue, where another embedder can take it."""
MAX_PARKED_ITEMS = 2_048
"""The most items that wait for models in loading."""
_LOAD_WAIT_SECONDS = 0.05
"""Long enough to load a model without weights. The embedder does nothing else during this time."""
_LAST_WORD_SECONDS = 0.25
"""So long before its deadline, a batch whose model is still not loaded gets its answer."""
_LAST_BULK_WORD_SECONDS = 2.0
"""So long before its deadline, a bulk batch is answered with what was computed of it. A step may come between; one that
takes longer counts as stuck."""
_EMBEDDED = "embedded"
_REFUSED = "refused"
logger = logging.getLogger(__name__)


class Embedder:
    def __init__(
        self,
        models: ModelPool,
        cache: VectorCache,
        outbox: Outbox,
        pace: Pace,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._models = models
        self._cache = cache
        self._outbox = outbox
        self.pace = pace
        self._clock = clock
        self._offenders = Offenders()
        self._open: dict[Ticket, None] = {}
        self._parked: dict[ModelSpec, list[Ticket]] = {}
        self.backlog = Backlog(pace)

    @property
    def idle(self) -> bool:
        return not self._open

    def room(self, lane: Lane) -> int:
        """How many more items of `lane` this embedder wants to hold."""
        if self.backlog.seconds(lane) >= MAX_WAITING_SECONDS:
            return 0
        return max(self.pace.limits.window * self.pace.threads - self.backlog.items(lane), 0)

    def admit(self, batch: EmbedBatch, raw: bytes = b"") -> None:
        """Tokenise `batch` as soon as its model is loaded, and let it wait for its turn; drops a batch after its
        deadline."""
        if batch.deadline <= self._clock():
            BATCHES.labels(batch.lane, "expired").inc()
            return
        ticket = Ticket(batch, raw)
        self._open[ticket] = None
        if batch.purpose is Purpose.EMBED:
            BATCH_ITEMS.labels(batch.lane).observe(len(batch.items))
        self._start(ticket)

    def resume(self) -> None:
        """Go on with the batches whose model has been loaded."""
        for model, tickets in list(self._parked.items()):
            try:
                self._models.get(model, 0.0)
            except ModelLoading:
                continue
            except ModelError:
                pass  # each of the batches gets this answer below
            del self._parked[model]
            for ticket in tickets:
                if ticket in self._open:
                    self._start(ticket)

    def _start(self, ticket: Ticket) -> None:
        batch = ticket.batch
        with serving(batch.origins):
            try:
                encoder = self._models.get(batch.model, _LOAD_WAIT_SECONDS)
                self.pace.suppose(batch.model, encoder.first_speed)
                if batch.purpose is Purpose.TOKENIZE:
                    ticket.outcomes = list(described(encoder, batch))
                    ticket.missing = 0
                else:
                    self._enqueue(ticket, encoder)
            except ModelLoading:
                self._park(ticket)
            except (ModelError, ModelAway):
                self._fail(ticket, ticket.unsettled(), MODEL_UNAVAILABLE)
        if not ticket.missing:
            self._answer(ticket)

    def _park(self, ticket: Ticket) -> None:
        """Let `ticket` wait for its model; refuses it at once when too many items wait."""
        waiting = sum(len(other.batch.items) for tickets in self._parked.values() for other in tickets)
        if waiting >= MAX_PARKED_ITEMS:
            self._fail(ticket, ticket.unsettled(), MODEL_UNAVAILABLE)
            return
        self._parked.setdefault(ticket.batch.model, []).append(ticket)

    def _enqueue(self, ticket: Ticket, encoder: Encoder) -> None:
        batch = ticket.batch
        fresh = self._backlog_misses(ticket)
        if not fresh:
            return
        with TOKENIZE_SECONDS.labels(batch.lane).time():
            found = tokens_of(encoder, [batch.items[position] for position in fresh])
        tokenized = []
        for position, tokens in zip(fresh, found, strict=True):
            if not isinstance(tokens, str):
                tokenized.append((position, tokens))
                continue
            if tokens == MODEL_ERROR:
                self._offenders.failed(batch.model, batch.items[position].cache_key)
            self._fail(ticket, [position], tokens)
        if tokenized:
            self.backlog.add(ticket, encoder, tokenized)

    def _backlog_misses(self, ticket: Ticket) -> list[int]:
        """Positions of the items that are equal to no waiting text; refuses items that are known to fail."""
        batch, fresh = ticket.batch, self.backlog.join(ticket)
        refused = {p for p in fresh if self._offenders.refuses(batch.model, batch.items[p].cache_key)}
        for position in refused:
            ticket.settle(position, MODEL_ERROR)
        if refused:
            ITEMS.labels(batch.lane, _REFUSED).inc(len(refused))
        return [position for position in fresh if position not in refused]

    def step(self) -> bool:
        """Compute the next step in this thread and settle it; False when nothing waits."""
        step = self.backlog.take(self._clock())
        if step is None:
            return False
        # The cores are those of computing threads; this thread has one, also for a text that is alone.
        computed = compute(replace(step, cores=1), self.pace)
        self.backlog.finished(step)
        self.settle(computed)
        return True

    def settle(self, computed: Computed) -> None:
        """Write the cache, and give the batches that are now complete to the outbox."""
        step = computed.step
        outcomes: list[Outcome] = []
        for work, vector in zip(step.works, computed.vectors, strict=True):
            if computed.away:
                outcomes.append(MODEL_UNAVAILABLE)
            elif vector is None:
                self._offenders.failed(step.model, work.cache_key)
                outcomes.append(MODEL_ERROR)
            else:
                outcomes.append(
                    frame(vector, work.length, truncated=work.tokens.truncated, unknown=work.tokens.unknown)
                )
        self._keep(computed, outcomes)
        counts: Counter[str] = Counter()
        complete = []
        for work, outcome in zip(step.works, outcomes, strict=True):
            counts[_EMBEDDED if isinstance(outcome, bytes) else outcome] += len(work.takers)
            for ticket, position in work.takers:
                ticket.settle(position, outcome)
                if not ticket.missing:
                    complete.append(ticket)
        for name, number in counts.items():
            ITEMS.labels(step.lane, name).inc(number)
        for ticket in complete:
            self._answer(ticket)

    def _keep(self, computed: Computed, outcomes: Sequence[Outcome]) -> None:
        frames = {
            work.cache_key: outcome
            for work, outcome in zip(computed.step.works, outcomes, strict=True)
            if work.use_cache and isinstance(outcome, bytes)
        }
        if frames:
            self._cache.put_many(frames)

    def _fail(self, ticket: Ticket, positions: Sequence[int], code: str) -> None:
        ITEMS.labels(ticket.batch.lane, code).inc(len(positions))
        for position in positions:
            ticket.settle(position, code)

    def _answer(self, ticket: Ticket) -> None:
        if ticket not in self._open:
            return  # it expired while its last text was computed
        del self._open[ticket]
        batch = ticket.batch
        BATCHES.labels(batch.lane, "answered").inc()
        tracing.record("embed", batch.origins, ticket.admitted_ns, lane=batch.lane, texts=len(batch.items))
        if logger.isEnabledFor(logging.DEBUG):
            with serving(batch.origins):
                milliseconds = (time.time_ns() - ticket.admitted_ns) / 1e6
                logger.debug("answered a batch of %d texts after %.1f ms", len(batch.items), milliseconds)
        self._outbox.add(batch, ticket.reply())

    def drop_expired(self) -> None:
        """Forget batches after their deadline; the backlog leaves out the texts that only these batches wanted.

        Shortly before, what was computed of a bulk batch is answered: its sender writes that, and tries the rest again.
        """
        now = self._clock()
        for model, tickets in list(self._parked.items()):
            late = [ticket for ticket in tickets if ticket.batch.deadline <= now + _LAST_WORD_SECONDS]
            self._parked[model] = [ticket for ticket in tickets if ticket not in late]
            for ticket in late:
                self._fail(ticket, ticket.unsettled(), MODEL_UNAVAILABLE)
                self._answer(ticket)
        for ticket in [ticket for ticket in self._open if _ends_partly(ticket, now)]:
            self._fail(ticket, ticket.unsettled(), NOT_COMPUTED)
            self._answer(ticket)
        for ticket in [ticket for ticket in self._open if ticket.batch.deadline <= now]:
            del self._open[ticket]
            BATCHES.labels(ticket.batch.lane, "expired").inc()

    def surrender(self) -> list[Ticket]:
        """Give up all batches without an answer; the caller puts them back into their lanes. Oldest first."""
        self.backlog.close()
        tickets = list(self._open)
        self._open.clear()
        self._parked.clear()
        for ticket in tickets:
            BATCHES.labels(ticket.batch.lane, "requeued").inc()
        return tickets


def _ends_partly(ticket: Ticket, now: float) -> bool:
    """Whether the time of a bulk batch is about to end, with some of its texts computed and others not."""
    batch = ticket.batch
    begun = 0 < ticket.missing < len(batch.items)
    return begun and batch.lane is Lane.BULK and batch.deadline - _LAST_BULK_WORD_SECONDS <= now < batch.deadline
