"""Another try for quarantined records, once the reason of their failures is gone."""

import time
from collections import Counter
from collections.abc import Sequence

from embeddings_app.models import ModelRegistry
from embeddings_app.records import quarantine
from embeddings_app.records.quarantine import Requeued
from embeddings_app.records.transactions import in_transaction
from embeddings_app.services import audit
from embeddings_app.services.indexing.hints_sent import hint_after_commit

RETRY_SECONDS = 10.0
"""How long one call works on the records of a version."""
_CHUNK_RECORDS = 1_000
_ACTION = "record.retried"


def retry_quarantined(record_keys: Sequence[int], actor: str) -> int:
    """Make the quarantined ones among the records work again; how many. The others stay as they are."""
    requeued = in_transaction(lambda: _requeue_selected(record_keys, actor))
    hint_after_commit([item.document_key for item in requeued])
    return len(requeued)


def retry_all_quarantined(version: ModelRegistry, actor: str) -> int:
    """Make all quarantined records of a version work again, for about RETRY_SECONDS; how many.

    When there were more, some are left: the call can be repeated.
    """
    until = time.monotonic() + RETRY_SECONDS
    retried = after = 0
    while time.monotonic() < until:
        keys = quarantine.quarantined_keys(version.pk, after, _CHUNK_RECORDS)
        if not keys:
            break
        requeued = _requeue_chunk(version, keys, actor, first=after == 0)
        hint_after_commit([item.document_key for item in requeued])
        retried += len(requeued)
        after = keys[-1]
    return retried


def _requeue_selected(record_keys: Sequence[int], actor: str) -> list[Requeued]:
    requeued = quarantine.requeue(record_keys)
    counts = Counter(item.version_key for item in requeued)
    for version in ModelRegistry.objects.filter(pk__in=counts):
        audit.record(actor, _ACTION, str(version), {"records": counts[version.pk]})
    return requeued


def _requeue_chunk(version: ModelRegistry, keys: Sequence[int], actor: str, *, first: bool) -> list[Requeued]:
    def work() -> list[Requeued]:
        if first:
            audit.record(actor, _ACTION, str(version), {"records": "all"})
        return quarantine.requeue(keys)

    return in_transaction(work)
