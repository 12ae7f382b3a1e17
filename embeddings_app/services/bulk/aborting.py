"""The abort of a bulk job: the documents that it inserted go, unless a client has changed them meanwhile."""

from embeddings_app.models import BulkBlock, BulkBucket, BulkBundle, BulkJob, BulkState, BulkTouched
from embeddings_app.records import bulk_jobs, bulk_loading
from embeddings_app.records.transactions import in_transaction
from embeddings_app.services import audit
from embeddings_app.services.bulk.jobs import move, refuse_visible

_DELETED_AT_ONCE = 5_000


def begin_abort(job: BulkJob) -> None:
    """No bucket is loaded any more, also not by a process that nobody leads. Raises ServiceError, also when documents
    are visible already."""
    refuse_visible(job)
    if job.state != BulkState.ABORTING:
        move(job, BulkState.ABORTING)
    BulkBundle.objects.filter(job=job).delete()
    bulk_loading.wait_for_buckets(job.pk)


def delete_part(job_key: int) -> bool:
    """Delete some of the documents of an aborted job; False when nothing is left. Documents that the job has updated
    stay as they are."""
    block = BulkBlock.objects.filter(pk=job_key).first()
    if block is None:
        return False
    return bool(
        in_transaction(
            lambda: bulk_loading.delete_unchanged(
                block.model_version_id, block.first_key, block.last_key, _DELETED_AT_ONCE
            )
        )
    )


def end_abort(job: BulkJob) -> None:
    """Raises ServiceError."""

    def end() -> None:
        counts = bulk_jobs.count_rows(job.pk)
        block = BulkBlock.objects.filter(pk=job.pk).first()
        if block is not None:
            # What clients have changed is visible; the keys are not given again.
            BulkBlock.objects.filter(pk=job.pk).update(opened_to=block.last_key)
        BulkTouched.objects.filter(job=job).delete()
        BulkBucket.objects.filter(job=job).delete()
        move(job, BulkState.ABORTED)
        audit.record(job.actor, "bulk.aborted", str(job), {"updated": counts.updated})

    in_transaction(end)
