"""The loop that drains the embed lanes: pop what there is room for, compute a step, answer, look again.

Celery would pop one message at a time, in three round trips; this takes many in one. Messages keep their form, so a
plain Celery worker may take the same queues. The loop outlives the broker, and reports itself alive only as it turns.
"""

import logging
import threading
import time

from redis import Redis
from redis.exceptions import RedisError

from embedding_project.contracts.limits import EMBED_BATCH_ITEMS
from embedding_project.contracts.messages import Lane
from embedding_project.embed_reports import report_speeds, withdraw_speeds
from embedding_project.envelope import CorruptMessage
from embedding_project.liveness import report_alive
from workers.embedder import Embedder
from workers.envelope import decode_message
from workers.lanes import EmbedLanes
from workers.metrics import BROKER_ERRORS, CORRUPT_MESSAGES
from workers.outbox import Outbox
from workers.speedometer import speedometer

_BLOCK_SECONDS = 0.5
_POLL_SECONDS = 0.005
"""Between steps the lanes are looked at no more often than this."""
_ALIVE_SECONDS = 1.0
_PAUSE_AFTER_ERROR_SECONDS = 0.2
FINISH_SECONDS = 2.0
"""How long a stopping embedder computes what it holds; the rest goes back to the lanes."""
_INTERACTIVE_MESSAGES = 16
"""Popped at once: interactive messages mostly carry one text, bulk messages mostly a full batch."""
logger = logging.getLogger(__name__)


class Drainer:
    def __init__(
        self, redis: Redis, embedder: Embedder, outbox: Outbox, name: str, finish_seconds: float = FINISH_SECONDS
    ) -> None:
        self._redis = redis
        self._lanes = EmbedLanes(redis)
        self._embedder = embedder
        self._outbox = outbox
        self._name = name
        self._finish_seconds = finish_seconds
        self._stopping = threading.Event()
        self._alive_at = self._polled_at = 0.0
        self._broker_away = False

    def stop(self) -> None:
        """Make `run` return, from any thread."""
        self._stopping.set()

    def run(self) -> None:
        """Drain until `stop`, then finish or give back what is held."""
        while not self._stopping.is_set():
            self._turn()
        self._finish()

    def _turn(self) -> None:
        try:
            self._report_alive()
            self._receive()
            self._broker_answered()
        except RedisError as error:
            self._broker_failed(error)
        self._embedder.step()
        self._answer()

    def _report_alive(self) -> None:
        now = time.monotonic()
        if now - self._alive_at >= _ALIVE_SECONDS:
            report_alive(self._redis, self._name)
            report_speeds(self._redis, self._name, speedometer.speeds())
            self._alive_at = now

    def _receive(self) -> None:
        if self._embedder.idle:
            messages = self._lanes.wait(_BLOCK_SECONDS, _INTERACTIVE_MESSAGES)
            self._admit(messages)
            if len(messages) < _INTERACTIVE_MESSAGES:
                return
        if time.monotonic() - self._polled_at >= _POLL_SECONDS:
            self._top_up(Lane.INTERACTIVE)
            self._top_up(Lane.BULK)
            self._polled_at = time.monotonic()

    def _top_up(self, lane: Lane) -> None:
        while room := self._embedder.room(lane):
            count = _INTERACTIVE_MESSAGES if lane is Lane.INTERACTIVE else -(-room // EMBED_BATCH_ITEMS)
            messages = self._lanes.pop(lane, count)
            self._admit(messages)
            if len(messages) < count:
                return

    def _admit(self, messages: list[bytes]) -> None:
        for raw in messages:
            try:
                batch = decode_message(raw)
            except CorruptMessage as fault:
                CORRUPT_MESSAGES.inc()
                logger.warning("dropped a message of %d bytes that is no embed batch: %s", len(raw), fault)
                continue
            self._embedder.admit(batch, raw)

    def _answer(self) -> None:
        try:
            self._outbox.flush()
        except RedisError as error:
            self._broker_failed(error)

    def _broker_failed(self, error: RedisError) -> None:
        BROKER_ERRORS.inc()
        if not self._broker_away:
            logger.warning("the broker does not answer, trying on: %s", type(error).__name__)
        self._broker_away = True
        self._stopping.wait(_PAUSE_AFTER_ERROR_SECONDS)

    def _broker_answered(self) -> None:
        if self._broker_away:
            logger.warning("the broker answers again")
        self._broker_away = False

    def _finish(self) -> None:
        until = time.monotonic() + self._finish_seconds
        while time.monotonic() < until and self._embedder.step():
            self._answer()
        left = self._embedder.surrender()
        try:
            self._outbox.flush()
            self._lanes.put_back([(ticket.batch.lane, ticket.raw) for ticket in left])
            withdraw_speeds(self._redis, self._name)
        except RedisError as error:
            logger.warning("%d batches could not be put back: %s", len(left), type(error).__name__)
