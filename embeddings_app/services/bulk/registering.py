"""The end of a bulk job: its block of keys opens, with entries of the log for what becomes visible.

All at once, where index nodes take over bundles of documents with their graphs: one entry of each log stands for all of
them. Else part by part, with an entry for each document. Documents that clients have changed meanwhile are named once
more behind the block, part by part too: no transaction grows with their number.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TypeVar

from django.db.models import F

from embedding_project.contracts.errors import ServiceError
from embeddings_app import registry
from embeddings_app.models import BulkBlock, BulkBundle, BulkJob, BulkState, BulkTouched
from embeddings_app.records import bulk_blocks, bulk_jobs, bulk_loading, changes, model_locks
from embeddings_app.records.changes import ChangedDocument
from embeddings_app.records.topology import writable_layouts
from embeddings_app.records.transactions import in_transaction
from embeddings_app.services import audit
from embeddings_app.services.bulk.jobs import move

Result = TypeVar("Result")
ENTRIES_AT_ONCE = 2_000
"""In one transaction, which clients may wait for. Nodes apply so many in much less than the second they may lag."""


@dataclass(frozen=True, slots=True)
class Opened:
    documents: int
    """That became visible."""
    ended: bool
    """Whether the job is done."""


def check_counts(job: BulkJob) -> None:
    """Raises ServiceError unless every row that was read has exactly one outcome."""
    counts = bulk_jobs.count_rows(job.pk)
    if not counts.add_up:
        raise ServiceError("internal_error", f"the rows of {job} do not add up: {asdict(counts)}")


def register(job_key: int, limit: int = ENTRIES_AT_ONCE) -> dict[int, int]:
    """Make all documents of the block visible, by the bundles of the job; gives shard -> number of the entry in its
    log. `open_part` ends the job. Raises ServiceError when the job does not wait for this, or its bundles are not those
    of all logs."""
    return _timed(job_key, lambda: _register(job_key, limit))


def _timed(job_key: int, work: Callable[[], Result]) -> Result:
    """Do it in one transaction, and note with the job how long the one took that was committed."""
    began = 0.0

    def begin() -> Result:
        nonlocal began
        began = time.monotonic()
        return work()

    result = in_transaction(begin)
    bulk_jobs.note_registering(job_key, time.monotonic() - began)
    return result


def _register(job_key: int, limit: int) -> dict[int, int]:
    """1. the job and its block, before the logs  2. an entry for the bundles of each shard, and behind it one for each
    document that was changed meanwhile, up to `limit`."""
    job = BulkJob.objects.select_related("namespace").select_for_update(of=("self",), no_key=True).get(pk=job_key)
    model_locks.lock_shared(job.space.model_id)
    if job.state != BulkState.PREPARING or not registry.is_live(job.model_version_id):
        raise ServiceError("illegal_step", f"{job} does not register")
    layouts = writable_layouts()
    shards = dict(BulkBundle.objects.filter(job=job).values_list("shard", "layout_id"))
    if set(shards.values()) != {layout.pk for layout in layouts}:
        raise ServiceError("illegal_step", f"{job} has bundles of another layout: resume it")
    block = BulkBlock.objects.select_for_update(no_key=True).get(pk=job.pk)
    BulkBlock.objects.filter(pk=job.pk).update(opened_to=block.last_key)
    segment = {"job": job.pk, "first_key": block.first_key, "last_key": block.last_key}
    segments = {(layout, job.model_version_id, shard): segment for shard, layout in shards.items()}
    touched = bulk_loading.take_touched(job.pk, limit)
    move(job, BulkState.REGISTERING)
    entries = changes.append_changes(layouts, [job.model_version_id], touched, segments)
    seqs = {shard: seq for (_, _, shard), seq in entries.items()}
    for shard, seq in seqs.items():
        BulkBundle.objects.filter(job=job, shard=shard).update(seq=seq)
    return seqs


def _end(job: BulkJob) -> None:
    counts = asdict(bulk_jobs.count_rows(job.pk))
    BulkJob.objects.filter(pk=job.pk).update(counts=counts)
    move(job, BulkState.DONE)
    audit.record(job.actor, "bulk.done", str(job), counts)


def hides_documents(job_key: int) -> bool:
    """Whether the block of the job is not open yet."""
    return BulkBlock.objects.filter(pk=job_key, opened_to__lt=F("last_key")).exists()


def open_part(job_key: int, limit: int = ENTRIES_AT_ONCE) -> Opened:
    """Bring up to `limit` documents of the block into the log: those that become visible, and once all are, those that
    clients have changed. Raises ServiceError when the job does not register."""
    return _timed(job_key, lambda: _open_part(job_key, limit))


def _open_part(job_key: int, limit: int) -> Opened:
    """1. the block, before the log  2. what nobody has changed gets its first entry  3. once it is open, what was
    changed gets one behind it  4. when nothing is left, the job ends."""
    job = BulkJob.objects.select_related("namespace").get(pk=job_key)
    model_locks.lock_shared(job.space.model_id)
    if job.state != BulkState.REGISTERING or not registry.is_live(job.model_version_id):
        raise ServiceError("illegal_step", f"{job} does not register")
    row = BulkBlock.objects.select_for_update(no_key=True).get(pk=job.pk)
    block = bulk_blocks.Block(row.first_key, row.last_key, row.opened_to)
    unlogged, reached = bulk_loading.unlogged_documents(block, limit)
    row.opened_to = reached
    row.save(update_fields=["opened_to"])
    entries = [ChangedDocument(found.key, 1, found.shard_hash) for found in unlogged]
    room, ended = limit - len(entries), False
    if reached == row.last_key and room:
        # Nobody touches a document of an open block, so these get fewer.
        entries += bulk_loading.take_touched(job.pk, room)
        ended = not BulkTouched.objects.filter(job=job).exists()
    if ended:
        _end(job)
    changes.append_changes(writable_layouts(), [job.model_version_id], entries)
    return Opened(len(unlogged), ended)
