"""What a version needs before its first write, and what is taken away after its last one."""

import random
import time
from functools import partial

from django.db import DatabaseError

from embedding_project.contracts.errors import ServiceError
from embeddings_app.models import LIVE_STATUSES, ModelRegistry, ModelStatus
from embeddings_app.records import log_trimming, vector_partitions, version_records
from embeddings_app.records.log_trimming import LogFloor
from embeddings_app.records.model_locks import session_lock
from embeddings_app.records.topology import create_counters, writable_layouts
from embeddings_app.records.transactions import in_transaction
from embeddings_app.services.model_versions.steps import take_step

_CHUNK_RECORDS = 5_000
_CHUNK_ENTRIES = 1_000
_ACTOR = "service"


def prepare_indexes(version: ModelRegistry) -> None:
    """The vector partition and the logs of a version, in the transaction that makes it live."""
    vector_partitions.create_vector_partition(version.pk, version.dimension)
    for layout in writable_layouts():
        create_counters(layout, version.pk)


def clear_ended_versions(seconds: float) -> bool:
    """Free what versions hold that no write reaches any more, for about `seconds`; whether more is left.

    Nodes drop the index of such a version by themselves, as soon as its state tells them. The order is another each
    time: a version that takes all of it without an end holds up no other for good.
    """
    until, left = time.monotonic() + seconds, False
    failure: DatabaseError | ServiceError | None = None
    for version in random.sample(ended := list(version_records.ended_versions()), len(ended)):
        if left and time.monotonic() > until:
            break
        try:
            with session_lock(f"clearing:{version.pk}") as held:
                left |= not held or not _clear(version.pk, until)
        except (DatabaseError, ServiceError) as error:
            # It keeps no other version waiting.
            left, failure = True, failure or error
    if failure:
        raise failure
    return left


def is_cleared(version: ModelRegistry) -> bool:
    """Whether nothing is left of an earlier life of the version. It cannot become live before that."""
    return not vector_partitions.has_vector_partition(version.pk)


def _clear(version_key: int, until: float) -> bool:
    """True when nothing is left. The partition goes last: while it is there, nobody makes the version live."""
    version = ModelRegistry.objects.get(pk=version_key)
    ended = version.status in (ModelStatus.RETIRING, ModelStatus.RETIRED)
    if version.status in LIVE_STATUSES or (is_cleared(version) and not ended):
        return True
    while in_transaction(partial(version_records.delete_records, version.pk, _CHUNK_RECORDS)):
        if time.monotonic() > until:
            return False
    if version_records.has_records(version.pk):
        # A claim or a late answer holds them. Once the partition has gone, nobody would look for them again.
        return False
    for log in version_records.logs_of(version.pk):
        if not _empty(log, until):
            return False
    in_transaction(lambda: version_records.break_logs(version.pk))
    vector_partitions.drop_vector_partition(version.pk)
    if version.status == ModelStatus.RETIRING:
        in_transaction(lambda: take_step(version, ModelStatus.RETIRED, _ACTOR))
    return True


def _empty(log: LogFloor, until: float) -> bool:
    """Delete what nobody reads any more; False when the time was up before the end.

    Entries that name a tombstone stay until trimming finds both old enough. Without the tombstone, a document that is
    written again would begin at revision 1, and the logs of other versions would have a gap.
    """
    looked_at: int | None = 0
    while looked_at is not None:
        looked_at = in_transaction(partial(log_trimming.empty_chunk, log, looked_at, _CHUNK_ENTRIES))
        if time.monotonic() > until:
            return False
    return True
