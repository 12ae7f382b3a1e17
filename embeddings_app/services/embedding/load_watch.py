"""The load of the embedders as this process knows it, asked for in the background: no request ever waits for it."""

import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from redis import Redis
from redis.exceptions import RedisError

from embedding_project.broker.embed_load import EmbedLoad
from embedding_project.broker.embed_reports import SenderReport, exchange, withdraw_queued
from embedding_project.threads.refreshed import Refreshed

STALE_SECONDS = 2.0
"""What was read longer ago counts for nothing."""
_PERIOD_SECONDS = 0.2
_PERIOD_WHILE_AWAY_SECONDS = 1.0
_FIRST_WAIT_SECONDS = 0.5


class LoadWatch:
    """Tells everybody what this process waits for, and knows what all others do."""

    def __init__(self, redis: Redis, own_report: Callable[[], SenderReport]) -> None:
        self._redis = redis
        self._own_report = own_report
        self._sender = uuid.uuid4().hex
        self._speeds: dict[str, float] = {}
        self._reports, self._withdrawn = False, False
        self._asking = threading.Lock()
        self._gone_since: float | None = None
        self._refreshed = Refreshed("embed-load", self.ask, _pause)

    def others(self) -> EmbedLoad | None:
        """Embedders, speeds, and what all other processes wait for; None while the broker does not say."""
        latest = self._refreshed.latest(_FIRST_WAIT_SECONDS)
        return latest.value if latest is not None and latest.age_seconds < STALE_SECONDS else None

    def without_embedder_seconds(self) -> float:
        """For how long no embedder has reported."""
        return 0.0 if self._gone_since is None else time.monotonic() - self._gone_since

    def ask(self) -> EmbedLoad | None:
        """One exchange with the broker; None when it is away, and after `withdraw`."""
        try:
            with self._asking:
                if self._withdrawn:
                    return None
                self._reports = True
                load = exchange(self._redis, self._sender, self._own_report())
        except RedisError:
            self._gone_since = None
            return None
        # A restarted embedder has measured nothing yet, and will be about as fast as before.
        self._speeds.update(load.speeds)
        if load.embedders:
            self._gone_since = None
        elif self._gone_since is None:
            self._gone_since = time.monotonic()
        return replace(load, speeds=dict(self._speeds))

    def withdraw(self) -> None:
        """Take the report back, as this process ends: the last one may name texts that are answered meanwhile, and
        others would wait for them until it is old."""
        with self._asking, suppress(RedisError):
            self._withdrawn = True
            if self._reports:
                withdraw_queued(self._redis, self._sender)


def _pause(load: EmbedLoad | None) -> float:
    return _PERIOD_WHILE_AWAY_SECONDS if load is None else _PERIOD_SECONDS
