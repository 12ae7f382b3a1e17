"""The embedder itself: batches are admitted, computed step by step, and answered when their last text is done.

Used by one thread, but for the backlog, from which another one may take steps. It knows neither queues nor Celery.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence

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
from workers.tickets import MODEL_ERROR, MODEL_UNAVAILABLE, Outcome, Ticket

MAX_WAITING_SECONDS = 0.4
"""Per lane. More work than this is better left in the queue, where another embedder can take it."""
MAX_PARKED_ITEMS = 2_048
"""What may wait for models that are being loaded."""
_LOAD_WAIT_SECONDS = 0.05
"""A model without weights is there by then. Nothing else is done meanwhile."""
_LAST_WORD_SECONDS = 0.25
"""So long before its deadline, a batch hears that its model is still not there."""
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
        return max(self.pace.limits.window - self.backlog.items(lane), 0)

    def admit(self, batch: EmbedBatch, raw: bytes = b"") -> None:
        """Tokenise `batch` and let it wait for its turn, once its model is loaded; a batch nobody waits for any more is
        dropped."""
        if batch.deadline <= self._clock():
            BATCHES.labels(batch.lane, "expired").inc()
            return
        ticket = Ticket(batch, raw)
        self._open[ticket] = None
        if batch.purpose is Purpose.EMBED:
            BATCH_ITEMS.labels(batch.lane).observe(len(batch.items))
        self._start(ticket)

    def resume(self) -> None:
        """Go on with the batches whose model is loaded by now."""
        for model, tickets in list(self._parked.items()):
            try:
                self._models.get(model, 0.0)
            except ModelLoading:
                continue
            except ModelError:
                pass  # each of them hears below
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
        """Let `ticket` wait for its model; what is too much to wait is told so at once."""
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
        read = list(zip(fresh, found, strict=True))
        tokenized = [(position, tokens) for position, tokens in read if not isinstance(tokens, str)]
        if tokenized:
            self.backlog.add(ticket, encoder, tokenized)
        for position, code in ((position, tokens) for position, tokens in read if isinstance(tokens, str)):
            if code == MODEL_ERROR:
                self._offenders.failed(batch.model, batch.items[position].cache_key)
            self._fail(ticket, [position], code)

    def _backlog_misses(self, ticket: Ticket) -> list[int]:
        """Positions of the items that equal no waiting text and are not known to fail."""
        fresh = self.backlog.join(ticket)
        if not len(self._offenders):
            return fresh
        batch = ticket.batch
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
        self.settle(compute(step, self.pace))
        return True

    def settle(self, computed: Computed) -> None:
        """Write the cache, and hand the batches that are now complete to the outbox."""
        step = computed.step
        outcomes: list[Outcome] = []
        for work, vector in zip(step.works, computed.vectors, strict=True):
            if computed.away:
                outcomes.append(MODEL_UNAVAILABLE)
            elif vector is None:
                self._offenders.failed(step.model, work.cache_key)
                outcomes.append(MODEL_ERROR)
            else:
                outcomes.append(frame(vector, work.length, truncated=work.tokens.truncated))
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
        """Forget the batches nobody waits for any more; the backlog leaves out the texts that only they wanted."""
        now = self._clock()
        for model, tickets in list(self._parked.items()):
            late = [ticket for ticket in tickets if ticket.batch.deadline <= now + _LAST_WORD_SECONDS]
            self._parked[model] = [ticket for ticket in tickets if ticket not in late]
            for ticket in late:
                self._fail(ticket, ticket.unsettled(), MODEL_UNAVAILABLE)
                self._answer(ticket)
        for ticket in [ticket for ticket in self._open if ticket.batch.deadline <= now]:
            del self._open[ticket]
            BATCHES.labels(ticket.batch.lane, "expired").inc()

    def surrender(self) -> list[Ticket]:
        """Let go of every batch without an answer, oldest first, to be put back where they came from."""
        self.backlog.close()
        tickets = list(self._open)
        self._open.clear()
        self._parked.clear()
        for ticket in tickets:
            BATCHES.labels(ticket.batch.lane, "requeued").inc()
        return tickets
