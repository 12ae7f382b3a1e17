"""What is left of layouts that do not answer any more goes in the background."""

import time
from functools import partial

from django.utils import timezone

from embeddings_app.models import Layout, LayoutStatus, ShardCounter
from embeddings_app.records import layout_progress, log_trimming
from embeddings_app.records.log_trimming import LogFloor
from embeddings_app.records.model_locks import session_lock
from embeddings_app.records.transactions import in_transaction
from embeddings_app.services.layouts.changing import drop

_CHUNK_ENTRIES = 1_000


def drop_outlived(actor: str) -> int:
    """Drop the layout on standby when its time is over; how many were."""
    outlived = Layout.objects.filter(status=LayoutStatus.STANDBY, kept_until__lte=timezone.now())
    if not outlived.exists():
        return 0
    drop(actor)
    return 1


def clear_retired(seconds: float) -> int:
    """Empty the logs of retired layouts for about `seconds`; how many layouts have nothing left but what trimming
    takes: entries that name a tombstone, and with the last of them the counters."""
    until, cleared = time.monotonic() + seconds, 0
    for layout in Layout.objects.filter(status=LayoutStatus.RETIRED, shardcounter__isnull=False).distinct():
        with session_lock(f"clearing:layout:{layout.pk}") as held:
            if not held or not _clear(layout, until):
                break
            cleared += 1
    return cleared


def _clear(layout: Layout, until: float) -> bool:
    layout_progress.forget_replicas(layout.pk)
    for counter in ShardCounter.objects.filter(layout=layout).order_by("model_version", "shard"):
        log = LogFloor(layout.pk, counter.model_version_id, counter.shard, counter.head)
        looked_at: int | None = 0
        while looked_at is not None:
            looked_at = in_transaction(partial(log_trimming.empty_chunk, log, looked_at, _CHUNK_ENTRIES))
            if time.monotonic() > until:
                return False
        if log_trimming.is_empty(log):
            counter.delete()
    return True
