"""The loop that drains a shard's search queues of one lane, one per model version, while the replica may answer.

A replica that is behind with a version does not pop from the queue of that version; other replicas of the shard do. The
loop takes one message at a time, so that replicas share the work. Celery would need four round trips and a task for a
message; here the answer to one message and the wait for the next are one round trip.
"""

import logging
import math
import threading
from collections.abc import Sequence
from types import UnionType

from redis import Redis
from redis.exceptions import RedisError

from embedding_project.broker.envelope import MALFORMED, CorruptMessage, task_and_argument
from embedding_project.contracts.census import CensusQuestion
from embedding_project.contracts.limits import MAX_EF_SEARCH, MAX_TOP_K
from embedding_project.contracts.messages import SearchBatch
from embedding_project.contracts.queues import CENSUS_TASK, SEARCH_TASK, SearchLane, layout_of
from embedding_project.observing.log_lines import place_of
from index_nodes.metrics import BROKER_ERRORS, CORRUPT_MESSAGES, QUERIES
from index_nodes.node import ShardNode
from index_nodes.replies import Addressed, QueueLine, Taken

_BLOCK_SECONDS = 0.2
"""How long one look at the queues may last. A replica that falls behind during it answers `behind`."""
_NOT_READY_SECONDS = 0.02
_PAUSE_AFTER_ERROR_SECONDS = 0.1
_MAX_FETCHED = 8 * MAX_TOP_K
"""The most hits of one query: a search asks each shard for more hits than it shows."""
logger = logging.getLogger(__name__)


class SearchDrainer:
    def __init__(self, redis: Redis, node: ShardNode, lane: SearchLane = SearchLane.LIGHT) -> None:
        self.lane = lane
        self._line = QueueLine(redis)
        self._node = node
        self._stopping = threading.Event()
        self._turn = 0
        self._broker_away = False

    def stop(self) -> None:
        """Make `run` return, from any thread."""
        self._stopping.set()

    def run(self) -> None:
        self._node.search_here(self.lane)
        answer: Addressed | None = None
        while not self._stopping.is_set():
            queues = self._node.queues(self.lane)
            taken = self._exchange(answer, self._in_turn(queues) if queues else [])
            answer = self._answer(taken) if taken is not None else None
            if not queues:
                self._stopping.wait(_NOT_READY_SECONDS)
        self._exchange(answer, [])

    def _in_turn(self, queues: Sequence[str]) -> list[str]:
        # Redis looks into the queues in this order: a busy queue that always came first would starve the others.
        self._turn = (self._turn + 1) % len(queues)
        return [*queues[self._turn :], *queues[: self._turn]]

    def _exchange(self, answer: Addressed | None, queues: list[str]) -> Taken | None:
        """Send the answer, and take the next message; None when none came."""
        try:
            taken = self._line.exchange(answer, queues, _BLOCK_SECONDS)
        except RedisError as error:
            BROKER_ERRORS.inc()
            if not self._broker_away:
                logger.warning("the broker does not answer, trying again: %s", type(error).__name__)
            self._broker_away = True
            self._stopping.wait(_PAUSE_AFTER_ERROR_SECONDS)
            return None
        self._broker_away = False
        return taken

    def _answer(self, taken: Taken) -> Addressed | None:
        try:
            asked = decode_message(taken.raw)
        except CorruptMessage as fault:
            CORRUPT_MESSAGES.inc()
            logger.warning("dropped a message of %d bytes that is not a search: %s", len(taken.raw), fault)
            return None
        try:
            layout = layout_of(taken.queue)
            if isinstance(asked, CensusQuestion):
                return self._node.count(asked, layout)
            return self._node.answer(asked, layout, self.lane)
        except Exception as error:  # noqa: BLE001
            # One message must not end the thread: a client that repeats the message would keep the shard away.
            QUERIES.labels("failed").inc(1 if isinstance(asked, CensusQuestion) else len(asked.queries))
            logger.error("a message was not answered: %s", place_of(error))
            return None


def decode_message(raw: bytes) -> SearchBatch | CensusQuestion:
    """What a message of a search queue asks. Raises CorruptMessage."""
    task, argument = task_and_argument(raw)
    try:
        if task == SEARCH_TASK:
            return _checked(SearchBatch.from_wire(argument))
        if task == CENSUS_TASK:
            return CensusQuestion.from_wire(argument)
    except MALFORMED as error:
        raise CorruptMessage(type(error).__name__) from None
    raise CorruptMessage("another task")


def _checked(batch: SearchBatch) -> SearchBatch:
    # msgpack has no schema: without this check, a field of a wrong type would fail in the middle of a search.
    fields: list[tuple[object, type | UnionType]] = [
        *((value, str) for value in (batch.fanout_id, batch.inbox, batch.epoch)),
        (batch.deadline, int | float),
    ]
    for query in batch.queries:
        fields += [(value, int) for value in (query.version_key, query.namespace_key, query.top_k, query.ef_search)]
        fields += [(query.exact, bool), (query.filter, str)]
    if len(batch.vectors) != len(batch.queries) or not all(isinstance(value, kind) for value, kind in fields):
        raise TypeError
    bounds = [(query.top_k, _MAX_FETCHED) for query in batch.queries]
    bounds += [(query.ef_search, MAX_EF_SEARCH) for query in batch.queries]
    if not math.isfinite(batch.deadline) or not all(1 <= value <= most for value, most in bounds):
        raise ValueError
    return batch
