"""Writes wait for the index: upserts are refused while too many documents wait for their place in a graph.

A search compares them one by one, in about 0.33 ms per 1,000 and query. Without a bound, a load that is faster
than the builds would make every search of its namespace exceed the patience for a shard.
"""

import math
from collections.abc import Sequence

from embedding_project.config import load_config
from embedding_project.contracts.errors import Unavailable
from embedding_project.contracts.limits import MOST_BUILT_AT_ONCE
from embedding_project.threads.expiring import ExpiringCache
from embeddings_app.records.topology import ShardBacklog, shard_backlogs
from embeddings_app.services.topology import topology

FRESH_SECONDS = 1.0
MAX_RETRY_SECONDS = 300
_RETRY_WITHOUT_RATE_SECONDS = 5
"""Before the first build has ended, nobody knows how long it takes."""

_backlogs: ExpiringCache[int, list[ShardBacklog]] = ExpiringCache(
    lambda version_key: shard_backlogs(topology().layout, version_key), FRESH_SECONDS
)


def seconds_until_room(backlogs: Sequence[ShardBacklog], bound: int) -> int:
    """How long the builds of the slowest shard need to come below the bound; 0 when all are below it."""
    return max((_seconds(backlog, bound) for backlog in backlogs if backlog.unbuilt > bound), default=0)


def check_backlog(version_key: int) -> None:
    """Raises Unavailable (overloaded) while some shard of the model version has more unbuilt documents than allowed."""
    seconds = seconds_until_room(_backlogs.get(version_key), load_config().max_unbuilt_documents)
    if seconds:
        raise Unavailable(
            "overloaded", "too many documents wait for their place in the index", retry_after_seconds=seconds
        )


def forget_cached() -> None:
    _backlogs.clear()


def _seconds(backlog: ShardBacklog, bound: int) -> int:
    if backlog.built_per_second <= 0:
        return _RETRY_WITHOUT_RATE_SECONDS
    # Documents come into graphs by whole builds. Half of one is what is left on average of the one under way.
    under_way = min(backlog.unbuilt, MOST_BUILT_AT_ONCE) / 2
    documents = max(backlog.unbuilt - bound, under_way)
    return min(max(1, math.ceil(documents / backlog.built_per_second)), MAX_RETRY_SECONDS)
