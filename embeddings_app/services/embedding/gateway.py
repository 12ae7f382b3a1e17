"""The embed gateway of a process: texts that wait together travel together.

A text is sent at once while nothing of its stream is under way; else it waits for 64 texts or 5 ms, or until the stream
comes back. Equal texts share one flight. A caller holds no lock while it waits, and gets an answer by its deadline.
"""

import heapq
import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

from embedding_project.broker.dispatch import send_embed
from embedding_project.broker.inbox import reply_inbox
from embedding_project.broker.redis_clients import silent_until
from embedding_project.contracts.errors import ServiceError
from embedding_project.contracts.limits import EMBED_BATCH_ITEMS, EMBED_BATCH_WAIT_SECONDS
from embedding_project.contracts.messages import EmbedBatch, EmbedItem, EmbedReply
from embedding_project.contracts.origins import distinct
from embedding_project.contracts.vectors import EmbeddedText
from embedding_project.observing.log_lines import place_of
from embedding_project.observing.request_context import current_origins
from embedding_project.observing.tracing import span
from embedding_project.threads.background import repeat_forever
from embedding_project.threads.waiter import on_the_wall
from embeddings_app.services.embedding.flights import Countdown, Flight, Outcome, StreamKey, land

NOT_ANSWERED = "embedder_unavailable"
logger = logging.getLogger(__name__)
Send = Callable[[EmbedBatch], None]
Expect = Callable[[str, Callable[[EmbedReply], None]], None]


@dataclass(slots=True)
class _Stream:
    """Texts of one key: those waiting to be sent, and how many batches are under way."""

    waiting: deque[Flight] = field(default_factory=deque)
    flying: dict[bytes, Flight] = field(default_factory=dict)
    batches: int = 0

    def due(self, wait_seconds: float) -> float:
        """When the waiting texts must leave (monotonic seconds): at once while nothing is under way."""
        return self.waiting[0].boarded + wait_seconds if self.batches else 0.0


@dataclass(order=True, slots=True)
class _Sent:
    deadline: float
    batch_id: str = field(compare=False)
    key: StreamKey = field(compare=False)
    flights: list[Flight] = field(compare=False)


class Gateway:
    def __init__(
        self,
        inbox: str,
        send: Send,
        expect: Expect,
        forget: Callable[[str], None],
        wait_seconds: float = EMBED_BATCH_WAIT_SECONDS,
    ) -> None:
        self._inbox = inbox
        self._send = send
        self._expect = expect
        self._forget = forget
        self._wait_seconds = wait_seconds
        self._streams: dict[StreamKey, _Stream] = {}
        self._sent: dict[str, _Sent] = {}
        self._expiry: list[_Sent] = []
        self._changed = threading.Condition()
        repeat_forever("embed-gateway", self._tick)

    def embed(self, key: StreamKey, items: Sequence[EmbedItem], deadline: float) -> list[Outcome]:
        """The outcomes of `items`, in order, by `deadline` (monotonic seconds) at the latest."""
        with span("embedder", lane=key.lane, model=key.model.model_id, texts=len(items)):
            flights, ready = self._board(key, items, deadline)
            countdown = Countdown(flights, deadline)
            # What stands ready is sent by this thread, which a silent broker must not keep.
            with silent_until(deadline):
                for batch in ready:
                    self._dispatch(key, batch)
            countdown.wait()
        return [flight.outcome or NOT_ANSWERED for flight in flights]

    def _board(
        self, key: StreamKey, items: Sequence[EmbedItem], deadline: float
    ) -> tuple[list[Flight], list[list[Flight]]]:
        """Put the items on flights; the second list holds batches that must leave now."""
        origins = current_origins()
        with self._changed:
            stream = self._streams.setdefault(key, _Stream())
            flights = []
            for item in items:
                flight = stream.flying.get(item.cache_key)
                if flight is None or not flight.serves(deadline):
                    flight = stream.flying[item.cache_key] = Flight(item, deadline, origins)
                    stream.waiting.append(flight)
                else:
                    flight.origins = distinct((*flight.origins, *origins))
                flights.append(flight)
            batches = _full_batches(stream)
            if stream.waiting and stream.batches + len(batches) == 0:
                batches.append(_take(stream))
            stream.batches += len(batches)
            if stream.waiting:
                self._changed.notify()
        return flights, batches

    def _dispatch(self, key: StreamKey, flights: list[Flight]) -> None:
        """Send a batch that its stream counts already. Its flights land whatever happens."""
        deadline = max(flight.deadline for flight in flights)
        sent = _Sent(deadline, uuid.uuid4().hex, key, flights)
        with self._changed:
            self._sent[sent.batch_id] = sent
            heapq.heappush(self._expiry, sent)
            self._changed.notify()
        try:
            self._expect(sent.batch_id, self._on_reply)
            self._send(self._batch(sent))
        except ServiceError as error:
            self._give_up(sent, error.code)
        except Exception as error:  # noqa: BLE001
            logger.error("a batch of texts could not be sent: %s", place_of(error))
            self._give_up(sent, "internal_error")

    def _batch(self, sent: _Sent) -> EmbedBatch:
        return EmbedBatch(
            batch_id=sent.batch_id,
            inbox=self._inbox,
            lane=sent.key.lane,
            deadline=on_the_wall(sent.deadline),
            use_cache=sent.key.use_cache,
            model=sent.key.model,
            items=tuple(flight.item for flight in sent.flights),
            origins=distinct(origin for flight in sent.flights for origin in flight.origins),
        )

    def _give_up(self, sent: _Sent, code: str) -> None:
        self._forget(sent.batch_id)
        self._finish(sent.batch_id, [code] * len(sent.flights))

    def _on_reply(self, reply: EmbedReply) -> None:
        sent = self._sent.get(reply.batch_id)
        if sent is None:
            return
        dimension = sent.key.model.dimension
        # A reply that cannot be read says nothing about a text.
        outcomes = [
            outcome if isinstance(outcome, str) else EmbeddedText.from_frame(outcome, dimension) or NOT_ANSWERED
            for outcome in reply.outcomes
        ]
        if len(outcomes) != len(sent.flights):
            outcomes = [NOT_ANSWERED] * len(sent.flights)
        self._finish(reply.batch_id, outcomes)

    def _finish(self, batch_id: str, outcomes: Sequence[Outcome]) -> None:
        with self._changed:
            sent = self._sent.pop(batch_id, None)
            if sent is None:
                return
            stream = self._streams[sent.key]
            stream.batches -= 1
            for flight in sent.flights:
                # A later request may have sent the same text again.
                if stream.flying.get(flight.item.cache_key) is flight:
                    del stream.flying[flight.item.cache_key]
            if stream.batches == 0:
                if stream.waiting:
                    self._changed.notify()
                else:
                    del self._streams[sent.key]
        land(sent.flights, outcomes)

    def _tick(self) -> None:
        """Send what waited its 5 ms, and give up what was not answered by its deadline."""
        with self._changed:
            self._changed.wait(self._seconds_to_next())
            now = time.monotonic()
            leaving = []
            for key, stream in self._streams.items():
                if stream.waiting and stream.due(self._wait_seconds) <= now:
                    leaving.append((key, _take(stream)))
                    stream.batches += 1
            expired = self._expired()
        for sent in expired:
            self._give_up(sent, NOT_ANSWERED)
        for key, flights in leaving:
            self._dispatch(key, flights)

    def _seconds_to_next(self) -> float | None:
        now = time.monotonic()
        waits = [stream.due(self._wait_seconds) - now for stream in self._streams.values() if stream.waiting]
        while self._expiry and self._expiry[0].batch_id not in self._sent:
            heapq.heappop(self._expiry)
        if self._expiry:
            waits.append(self._expiry[0].deadline - time.monotonic())
        return max(min(waits), 0) if waits else None

    def _expired(self) -> list[_Sent]:
        expired = []
        while self._expiry and self._expiry[0].deadline <= time.monotonic():
            sent = heapq.heappop(self._expiry)
            if sent.batch_id in self._sent:
                expired.append(sent)
        return expired


def _take(stream: _Stream) -> list[Flight]:
    return [stream.waiting.popleft() for _ in range(min(EMBED_BATCH_ITEMS, len(stream.waiting)))]


def _full_batches(stream: _Stream) -> list[list[Flight]]:
    return [_take(stream) for _ in range(len(stream.waiting) // EMBED_BATCH_ITEMS)]


@cache
def gateway() -> Gateway:
    """The gateway of this process, opened at first use."""
    inbox = reply_inbox()
    return Gateway(inbox.name, send_embed, inbox.expect_embed, inbox.forget)
