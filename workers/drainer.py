"""The loop that drains the embed lanes: pop as many messages as fit, tokenise, answer computed texts, and begin again.

Celery would pop one message at a time, in three round trips; this loop takes many in one. Messages keep their form: a
plain Celery worker may take the same queues. Other threads compute at the same time.
The loop goes on while the broker is away. It reports the embedder alive only while no step is stuck.
"""

import logging
import threading
import time
from collections.abc import Callable

from redis import Redis
from redis.exceptions import RedisError

from embedding_project.broker.embed_reports import report_speeds, withdraw_speeds
from embedding_project.broker.envelope import CorruptMessage
from embedding_project.broker.liveness import report_alive
from embedding_project.contracts.limits import EMBED_BATCH_ITEMS
from embedding_project.contracts.messages import EmbedBatch, EmbedReply, Lane
from workers.compute_threads import ComputeThreads
from workers.embedder import Embedder
from workers.envelope import UnknownBatch, decode_message
from workers.lanes import EmbedLanes
from workers.metrics import BROKER_ERRORS, CORRUPT_MESSAGES
from workers.outbox import Outbox
from workers.tickets import MODEL_UNAVAILABLE

_BLOCK_SECONDS = 0.5
_POLL_SECONDS = 0.01
"""Between two looks at the lanes while steps are computed."""
_ALIVE_SECONDS = 1.0
_BUSY_SECONDS = 2.0
"""While every thread waits for so long, for endpoints, the embedder takes no messages: another one may be free."""
_PAUSE_AFTER_ERROR_SECONDS = 0.2
FINISH_SECONDS = 2.0
"""How long a stopping embedder computes the texts that it holds; the rest goes back to the lanes."""
LAST_STEP_SECONDS = 5.0
"""How long a stopping embedder then waits for the steps in progress."""
_MOST_MESSAGES = 64
"""Popped from a lane at once."""
logger = logging.getLogger(__name__)


class Drainer:
    def __init__(
        self,
        redis: Redis,
        embedder: Embedder,
        outbox: Outbox,
        name: str,
        use_cores: Callable[[int], None],
        finish_seconds: float = FINISH_SECONDS,
    ) -> None:
        """`use_cores` sets how many cores the calling thread computes with."""
        self._redis = redis
        self._lanes = EmbedLanes(redis)
        self._embedder = embedder
        self._outbox = outbox
        self._name = name
        self._finish_seconds = finish_seconds
        self._compute = ComputeThreads(embedder.backlog, embedder.pace, use_cores)
        self._stopping = threading.Event()
        self._alive_at = 0.0
        self._broker_away = False
        # Most interactive messages have one text, and most bulk messages a full batch.
        self._message_items = {Lane.INTERACTIVE: 1, Lane.BULK: EMBED_BATCH_ITEMS}

    def stop(self) -> None:
        """Make `run` return, from any thread."""
        self._stopping.set()

    def run(self) -> None:
        """Drain until `stop`, then finish or put back held texts. Raises the error that ended a computing thread."""
        self._compute.start()
        try:
            while not self._stopping.is_set():
                self._turn()
            self._finish()
        finally:
            self._embedder.backlog.close()

    def _turn(self) -> None:
        stuck = self._compute.stuck
        takes = not stuck and not self._compute.all_busy_for(_BUSY_SECONDS)
        if not stuck:
            try:
                self._report_alive()
                if takes:
                    self._receive()
                self._broker_answered()
            except RedisError as error:
                self._broker_failed(error)
        # An idle embedder has just waited for a message, unless the texts of a long step are all over their deadline.
        self._settle(0.0 if self._embedder.idle and takes else _POLL_SECONDS)

    def _report_alive(self) -> None:
        now = time.monotonic()
        if now - self._alive_at >= _ALIVE_SECONDS:
            report_alive(self._redis, self._name)
            report_speeds(self._redis, self._name, self._embedder.pace.speeds())
            self._alive_at = now

    def _receive(self) -> None:
        if self._embedder.idle:
            # One message only: this embedder or another idle one pops the others during its computation.
            self._admit(self._lanes.wait(_BLOCK_SECONDS))
            if self._embedder.idle:
                return
        if counts := {lane: count for lane in Lane if (count := self._wanted(lane))}:
            self._admit(self._lanes.pop(counts))

    def _wanted(self, lane: Lane) -> int:
        """How many messages of `lane` fit."""
        return min(-(-self._embedder.room(lane) // self._message_items[lane]), _MOST_MESSAGES)

    def _admit(self, messages: list[bytes]) -> None:
        batches = []
        for raw in messages:
            try:
                batch = decode_message(raw)
            except CorruptMessage as fault:
                CORRUPT_MESSAGES.inc()
                self._put_aside(fault, len(raw))
                continue
            self._embedder.admit(batch, raw)
            batches.append(batch)
        self._embedder.backlog.announce()
        self._learn_sizes(batches)

    def _put_aside(self, fault: CorruptMessage, size: int) -> None:
        """Refuse what a newer service asks of interactive texts, so that it is asked again at once, perhaps of a newer
        embedder. Bulk texts are asked again at their deadline: senders that hear at once would ask without end."""
        if not isinstance(fault, UnknownBatch) or fault.head.lane is not Lane.INTERACTIVE:
            logger.warning("dropped a message of %d bytes that is not an embed batch: %s", size, fault)
            return
        logger.warning("refused a message of %d bytes with something that a newer embedder knows: %s", size, fault)
        outcomes = (MODEL_UNAVAILABLE,) * fault.head.items
        self._outbox.add(fault.head, EmbedReply(batch_id=fault.head.batch_id, outcomes=outcomes))

    def _learn_sizes(self, batches: list[EmbedBatch]) -> None:
        for lane in Lane:
            if sizes := [len(batch.items) for batch in batches if batch.lane is lane]:
                self._message_items[lane] = max(sizes)

    def _settle(self, seconds: float) -> None:
        """Answer computed texts; waits up to `seconds` for the first ones."""
        self._embedder.drop_expired()
        self._embedder.resume()
        for computed in self._compute.collect(seconds):
            self._embedder.settle(computed)
        try:
            self._outbox.flush()
        except RedisError as error:
            self._broker_failed(error)

    def _broker_failed(self, error: RedisError) -> None:
        BROKER_ERRORS.inc()
        if not self._broker_away:
            logger.warning("the broker does not answer, trying again: %s", type(error).__name__)
        self._broker_away = True
        self._stopping.wait(_PAUSE_AFTER_ERROR_SECONDS)

    def _broker_answered(self) -> None:
        if self._broker_away:
            logger.warning("the broker answers again")
        self._broker_away = False

    def _finish(self) -> None:
        until = time.monotonic() + self._finish_seconds
        while not self._embedder.idle and time.monotonic() < until:
            self._settle(_POLL_SECONDS)
        self._embedder.backlog.close()
        self._compute.join(LAST_STEP_SECONDS)
        self._settle(0.0)
        left = self._embedder.surrender()
        try:
            self._lanes.put_back([(ticket.batch.lane, ticket.raw) for ticket in left])
            withdraw_speeds(self._redis, self._name)
        except RedisError as error:
            logger.warning("%d batches could not be put back: %s", len(left), type(error).__name__)
