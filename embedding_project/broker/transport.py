"""The Redis transport of Celery's workers, which drops and counts malformed messages.

With the transport of kombu, the error of a malformed message ends the consumer, and with it the worker.
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
            # The error may quote the message, so the log names only its type.
            logger.warning("dropped a message that is not a task: %s", type(fault).__name__)
            CORRUPT_JOBS.inc()
            return True


class Transport(redis.Transport):  # type: ignore[misc]
    Channel = Channel

    def _deliver(self, message: Any, queue: str) -> None:
        _check(message)
        super()._deliver(message, queue)


def _check(message: Any) -> None:
    """Raise one of MALFORMED for a message on which a worker would fail later."""
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
