"""What is left of layouts that do not answer any more goes in the background."""

import logging
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from django.db import DatabaseError
from django.db.models import QuerySet
from django.utils import timezone

from embedding_project.contracts.errors import ServiceError
from embeddings_app.database.fault_names import fault_name
from embeddings_app.models import Layout, LayoutStatus, ShardCounter
from embeddings_app.records import layout_progress, log_trimming
from embeddings_app.records.log_trimming import LogFloor
from embeddings_app.records.model_locks import session_lock
from embeddings_app.records.transactions import in_transaction
from embeddings_app.services.layouts.changing import drop

_CHUNK_ENTRIES = 1_000
logger = logging.getLogger(__name__)


def drop_outlived(actor: str) -> int:
    """Drop the layout on standby when its time is over; how many were."""
    outlived = Layout.objects.filter(status=LayoutStatus.STANDBY, kept_until__lte=timezone.now())
    if not outlived.exists():
        return 0
    drop(actor)
    return 1


@dataclass(frozen=True, slots=True)
class Cleared:
    layouts: int
    """That have nothing left but what trimming takes: entries that name a tombstone, and with the last the counters."""
    reached: dict[str, int]
    """Log -> the entry up to which it was looked at. Nobody writes to it any more, so no entry is looked at twice."""
    problem: str = ""
    """What failed with a log; empty where nothing did."""


def clear_retired(seconds: float, reached: Mapping[str, int]) -> Cleared:
    """Empty the logs of retired layouts for about `seconds`, from where the time before has come. None waits for
    one with which the database fails."""
    until, cleared, problem = time.monotonic() + seconds, 0, ""
    now_reached: dict[str, int] = {}
    for layout in Layout.objects.filter(status=LayoutStatus.RETIRED, shardcounter__isnull=False).distinct():
        logs = {f"{log.layout_id}/{log.model_version_id}/{log.shard}": log for log in _logs(layout)}
        now_reached |= {name: reached[name] for name in logs if name in reached}
        with session_lock(f"clearing:layout:{layout.pk}") as held:
            if not held:
                continue
            layout_progress.forget_replicas(layout.pk)
            # In another order each time: one with which the database fails may take all of the time.
            for name, counter in random.sample(list(logs.items()), len(logs)):
                try:
                    now_reached[name] = _empty(counter, now_reached.get(name, 0), until)
                except (DatabaseError, ServiceError) as error:
                    problem = fault_name(error)
                    logger.warning("log %s of a retired layout: %s", name, problem)
        cleared += all(now_reached.get(name, 0) >= counter.head for name, counter in logs.items())
    return Cleared(cleared, now_reached, problem)


def _logs(layout: Layout) -> QuerySet[ShardCounter]:
    return ShardCounter.objects.filter(layout=layout).order_by("model_version", "shard")


def _empty(counter: ShardCounter, after: int, until: float) -> int:
    """The entry up to which the log was looked at; its head when that is all of it."""
    log = LogFloor(counter.layout_id, counter.model_version_id, counter.shard, counter.head)
    while after < counter.head and time.monotonic() <= until:
        reached = in_transaction(partial(log_trimming.empty_chunk, log, after, _CHUNK_ENTRIES))
        after = counter.head if reached is None else reached
    if after >= counter.head and log_trimming.is_empty(log):
        counter.delete()
    return after
