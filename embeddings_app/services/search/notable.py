"""Searches that operators look for: slow ones, and those that found nothing.

The newest are kept in the Redis of the cache, which may lose them. A request only offers its search; a thread writes it
down. What was asked is kept only where the operator has said so.
"""

import json
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from queue import Full, Queue
from typing import Any, cast

from redis import Redis
from redis.exceptions import RedisError

from embedding_project.broker.redis_clients import cache_client
from embedding_project.config import load_config
from embedding_project.contracts.filters import Filter, comparisons
from embedding_project.observing.request_context import current_origins
from embedding_project.threads.background import repeat_forever
from embedding_project.threads.seldom import Seldom

KEPT = 200
INTERVAL_SECONDS = 0.1
"""At most one of a process in this time: a client whose every search finds nothing does not fill the list alone."""
KEPT_SECONDS = 7 * 24 * 3600
MAX_TEXT_LENGTH = 500
_KEY = "searches:notable"
_MAX_WAITING = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class NotableSearch:
    at: float
    """Seconds since the epoch."""
    namespace: str
    model: str
    """With its version, as `model@1`."""
    timings_ms: Mapping[str, float]
    hits: int
    filter_fields: tuple[str, ...]
    """The fields that the filter compares, without the values."""
    partial: bool
    request_id: str
    text: str | None
    """None where texts are not kept, and for searches by vector."""


class NotableSearches:
    """Keeps those that took `slow_ms` or found nothing."""

    def __init__(
        self, redis: Redis, slow_ms: float, *, keeps_texts: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._redis = redis
        self._slow_ms = slow_ms
        self._keeps_texts = keeps_texts
        self._turns = Seldom(INTERVAL_SECONDS, clock)
        self._waiting: Queue[NotableSearch] = Queue(_MAX_WAITING)
        repeat_forever("notable-searches", self.keep_next)

    def offer(
        self,
        *,
        namespace: str,
        model: str,
        timings_ms: Mapping[str, float],
        hits: int,
        filter_: Filter | None,
        partial: bool,
        text: str | None,
    ) -> None:
        """Maybe keep the search. Never waits, and raises nothing."""
        if (hits and timings_ms["total"] < self._slow_ms) or not self._turns.take_turn():
            return
        origins = current_origins()
        search = NotableSearch(
            at=time.time(),
            namespace=namespace,
            model=model,
            timings_ms=timings_ms,
            hits=hits,
            filter_fields=() if filter_ is None else tuple(sorted({one.path for one in comparisons(filter_)})),
            partial=partial,
            request_id=origins[0].request_id if origins else "",
            text=text[:MAX_TEXT_LENGTH] if text and self._keeps_texts else None,
        )
        try:
            self._waiting.put_nowait(search)
        except Full:
            return

    def keep_next(self) -> None:
        """Write down the next search; waits until there is one."""
        search = json.dumps(asdict(self._waiting.get()))
        try:
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.lpush(_KEY, search)
            pipeline.ltrim(_KEY, 0, KEPT - 1)
            pipeline.expire(_KEY, KEPT_SECONDS)
            pipeline.execute()
        except RedisError:
            # The cache is away; another search will do as well.
            return

    def newest(self, namespaces: Collection[str] = ()) -> tuple[NotableSearch, ...] | None:
        """Those in these namespaces, the newest first; empty for any. None while the cache is away."""
        try:
            found = cast(list[bytes], self._redis.lrange(_KEY, 0, KEPT - 1))
        except RedisError:
            return None
        searches = (_read(json.loads(one)) for one in found)
        return tuple(one for one in searches if one and (not namespaces or one.namespace in namespaces))


def _read(values: dict[str, Any]) -> NotableSearch | None:
    """None for one that another version of the code wrote: the list outlives an upgrade."""
    try:
        return NotableSearch(**{**values, "filter_fields": tuple(values["filter_fields"])})
    except (LookupError, TypeError):
        return None


@cache
def notable_searches() -> NotableSearches:
    """Those of this process; all processes share the list."""
    config = load_config()
    return NotableSearches(cache_client(config.cache_url), config.slow_search_ms, keeps_texts=config.keep_search_texts)
