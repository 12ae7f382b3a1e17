"""The Redis transport of Celery's workers, which goes on when a queue holds what is no message.

kombu lets the fault of a malformed message end its consumer, and with it the worker. Here the message is dropped and
counted.
"""

import logging
from typing import Any

from kombu.transport import redis
from prometheus_client import Counter

from embedding_project.broker.envelope import MALFORMED

CORRUPT_JOBS = Counter("worker_corrupt_messages_total", "Messages dropped because they are no task.")
logger = logging.getLogger(__name__)


class Channel(redis.Channel):  # type: ignore[misc]
    def _brpop_read(self, **options: Any) -> bool:
        try:
            return bool(super()._brpop_read(**options))
        except MALFORMED as fault:
            # The fault itself may quote the message, so only its kind is told.
            logger.warning("dropped a message that is no task: %s", type(fault).__name__)
            CORRUPT_JOBS.inc()
            return True


class Transport(redis.Transport):  # type: ignore[misc]
    Channel = Channel

    def _deliver(self, message: Any, queue: str) -> None:
        _check(message)
        super()._deliver(message, queue)


def _check(message: Any) -> None:
    """Raise one of MALFORMED for what a worker would fail on after it has taken the message."""
    properties, headers = message["properties"], message["headers"]
    texts = (
        message["body"],
        message["content-type"],
        message["content-encoding"],
        properties["delivery_tag"],
        headers["task"],
        headers["id"],
    )
    if not all(isinstance(text, str) for text in texts) or not isinstance(properties["delivery_info"], dict):
        raise TypeError
