"""Which texts may join the queue of the embedders: those that would not wait too long.

Interactive requests that would wait longer than the bound are refused before anything is queued. Bulk work waits here
instead, holding its claim and no place in the queue. Texts that are in the cache, or under way already, cost nothing.
"""

import atexit
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from embedding_project.broker.embed_load import IDLE, EmbedLoad, Tokens, model_name
from embedding_project.broker.embed_reports import SenderReport
from embedding_project.broker.redis_clients import broker_client
from embedding_project.config import load_config
from embedding_project.contracts.errors import Unavailable
from embedding_project.contracts.messages import EmbedItem, Lane
from embeddings_app.services.embedding.flights import Outcome, StreamKey
from embeddings_app.services.embedding.ledger import Entry, Ledger, TokenEstimates, summed
from embeddings_app.services.embedding.load_watch import LoadWatch
from embeddings_app.services.embedding.metrics import EMBED_ADMISSIONS

RESERVE_SECONDS = 0.5
"""Query texts of searches may wait so much longer: a queue full of embeds has room for them."""
LONG_WAIT_SECONDS = 1.0
"""A request that takes longer than the bound may wait as long as it takes itself, but no longer than this."""
BULK_WAIT_SECONDS = 5.0
"""Bulk texts join the queue when they would wait no longer than this."""
TOKENS_WITHOUT_SPEED = 8_192
"""What one process may have under way while no speed is known (at a cold start, or without the broker), for each second
of the bound, and at least for one."""
GRACE_SECONDS = 10.0
"""How long texts are queued, and waited for, when no embedder lives: a restarted one is back by then."""
_RETRY_WITHOUT_EMBEDDER_SECONDS = 5
_LOST_SECONDS = 5.0
_LOST_TIMES = 3.0


class Watch(Protocol):
    """What admission needs to know of the rest of the service."""

    def others(self) -> EmbedLoad | None: ...

    def without_embedder_seconds(self) -> float: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """What one lane looks like to a request that wants to join it."""

    wait: float | None
    """Seconds until everything before it is computed; None when no speed is known."""
    own: float
    """Seconds that its own texts take; 0 when no speed is known."""
    empty: bool
    """Whether nothing is before it."""


def seconds_too_long(queue: Queue, bound: float, *, reserve: bool) -> float:
    """By how much a request would wait too long; 0 or less when it may join."""
    if queue.empty or queue.wait is None:
        return 0.0
    allowed = max(bound, min(queue.own, LONG_WAIT_SECONDS))
    return queue.wait - allowed - (RESERVE_SECONDS if reserve else 0.0)


class EmbedAdmission:
    """Of one process. Safe to use from several threads."""

    def __init__(
        self,
        connect: Callable[[Callable[[], SenderReport]], Watch],
        max_wait_seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`connect` makes the watch, which is given a way to ask for this process's own report."""
        self._max_wait = max_wait_seconds
        self._tokens_without_speed = TOKENS_WITHOUT_SPEED * max(1.0, max_wait_seconds)
        self._monotonic = monotonic
        self._estimates = TokenEstimates()
        self._ledger = Ledger()
        self._refused_at = 0.0
        self._lock = threading.Lock()
        self._watch = connect(self.report)

    def report(self) -> SenderReport:
        with self._lock:
            return SenderReport(queued=self._ledger.queued(self._monotonic()), refused_at=self._refused_at)

    def enter(self, key: StreamKey, items: Sequence[EmbedItem], *, reserve: bool = False) -> Entry:
        """Count `items` as queued from now on. Raises Unavailable: overloaded, or embedder_unavailable."""
        load = self._watch.others()
        if load is not None and not load.embedders and self._watch.without_embedder_seconds() > GRACE_SECONDS:
            with self._lock:
                self._refused_at = time.time()
            EMBED_ADMISSIONS.labels(key.lane, "no_embedder").inc()
            raise Unavailable("embedder_unavailable", retry_after_seconds=_RETRY_WITHOUT_EMBEDDER_SECONDS)
        with self._lock:
            fresh, queue = self._queue_before(load or IDLE, key, items)
            excess = seconds_too_long(queue, self._max_wait, reserve=reserve)
            if (
                queue.wait is None
                and not queue.empty
                and self._own_tokens(key.lane, fresh) > self._tokens_without_speed
            ):
                excess = 1.0
            if excess <= 0:
                return self._opened(key, fresh, queue)
            self._refused_at = time.time()
        EMBED_ADMISSIONS.labels(key.lane, "refused").inc()
        raise Unavailable(
            "overloaded", "too much text waits to be embedded", retry_after_seconds=max(1, math.ceil(excess))
        )

    def try_bulk(self, key: StreamKey, items: Sequence[EmbedItem]) -> Entry | None:
        """Count `items` as queued from now on; None while there is no room for bulk work, or no embedder."""
        load = self._watch.others()
        if load is not None and not load.embedders:
            return None
        with self._lock:
            fresh, queue = self._queue_before(load or IDLE, key, items)
            if not queue.empty and queue.wait is not None and queue.wait > BULK_WAIT_SECONDS:
                return None
            return self._opened(key, fresh, queue)

    def leave(self, entry: Entry) -> None:
        with self._lock:
            self._ledger.close(entry)

    def learn(self, key: StreamKey, items: Sequence[EmbedItem], outcomes: Sequence[Outcome]) -> None:
        """What the replies say of the length of texts."""
        self._estimates.learn(key.model, items, outcomes)

    def patience(self, lane: Lane) -> float:
        """Seconds that a request of `lane` may wait at most, for what is known now."""
        load = self._watch.others()
        gone = lane is Lane.INTERACTIVE and load is not None and not load.embedders
        return GRACE_SECONDS if gone else math.inf

    def note_refusal(self) -> int:
        """Note that a request found no thread; after how many seconds it should be sent again."""
        load = self._watch.others() or IDLE
        with self._lock:
            self._refused_at = time.time()
            own = self._ledger.queued(self._monotonic())
        wait = load.seconds(summed(load.queued.get(Lane.INTERACTIVE, {}), own[Lane.INTERACTIVE]))
        return max(1, math.ceil(wait or 0.0))

    def _queue_before(
        self, load: EmbedLoad, key: StreamKey, items: Sequence[EmbedItem]
    ) -> tuple[Mapping[bytes, float], Queue]:
        model = model_name(key.model)
        fresh = self._ledger.fresh(key.lane, model, self._estimates.of(key.model, items))
        own = self._ledger.queued(self._monotonic())
        # An interactive text goes before all bulk ones, a bulk text after both.
        lanes = [Lane.INTERACTIVE] if key.lane is Lane.INTERACTIVE else list(Lane)
        before: Tokens = summed(*(part.get(lane, {}) for lane in lanes for part in (load.queued, own)))
        queue = Queue(
            wait=load.seconds(before),
            own=load.seconds({model: sum(fresh.values())}) or 0.0,
            empty=not before or not fresh,
        )
        return fresh, queue

    def _own_tokens(self, lane: Lane, fresh: Mapping[bytes, float]) -> float:
        queued = self._ledger.queued(self._monotonic())[lane]
        return sum(queued.values()) + sum(fresh.values())

    def _opened(self, key: StreamKey, fresh: Mapping[bytes, float], queue: Queue) -> Entry:
        EMBED_ADMISSIONS.labels(key.lane, "admitted").inc()
        expected = GRACE_SECONDS if queue.wait is None else queue.wait + queue.own
        lost_at = self._monotonic() + _LOST_SECONDS + _LOST_TIMES * expected
        return self._ledger.open(key.lane, model_name(key.model), fresh, lost_at)


@cache
def embed_admission() -> EmbedAdmission:
    """The admission of this process, opened at first use."""
    config = load_config()

    def connect(own: Callable[[], SenderReport]) -> Watch:
        watch = LoadWatch(broker_client(config.redis_url), own)
        # A command ends right after its last text, before the next report.
        atexit.register(watch.withdraw)
        return watch

    return EmbedAdmission(connect, config.embed_max_wait_seconds)
