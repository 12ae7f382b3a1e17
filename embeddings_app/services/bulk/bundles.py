"""The bundles of a bulk job between their build and their end: who is ready for them, and when nobody needs them."""

import shutil
from enum import Enum
from pathlib import Path

from embedding_project.config import load_config
from embedding_project.contracts.errors import ServiceError
from embeddings_app.models import BulkBundle, BulkJob
from embeddings_app.records import bulk_bundles
from embeddings_app.records.topology import live_layouts


class Readiness(Enum):
    WAIT = "some replicas are not ready yet"
    READY = "all replicas are ready"
    USELESS = "a replica cannot use the bundles, or the shards are about to change"


def readiness(job: BulkJob) -> Readiness:
    """What the replicas say that live. Raises ServiceError when one has no room: it would not have it otherwise
    either."""
    built_for = set(BulkBundle.objects.filter(job=job).values_list("layout_id", flat=True))
    if built_for != {layout.pk for layout in live_layouts()}:
        return Readiness.USELESS
    replicas = bulk_bundles.replicas(job.pk)
    for one in replicas:
        if one.prepared == "no_room":
            raise ServiceError(
                "illegal_step",
                f"shard {one.shard} replica {one.replica} has no memory for what {job} brings: see its log",
            )
    if any(not one.takes_bundles or one.prepared == "refused" for one in replicas):
        return Readiness.USELESS
    return Readiness.READY if all(one.prepared == "ready" for one in replicas) else Readiness.WAIT


def ready_share(job: BulkJob) -> float:
    replicas = bulk_bundles.replicas(job.pk)
    return sum(one.prepared == "ready" for one in replicas) / len(replicas) if replicas else 1.0


def drop_bundles(job: BulkJob) -> None:
    """The job goes on without them."""
    for path in BulkBundle.objects.filter(job=job).values_list("path", flat=True):
        _remove(Path(path))
    BulkBundle.objects.filter(job=job).delete()


def remove_needless(retention_hours: int) -> int:
    """Remove the bundles that no replica needs any more; how many. The files of another machine go when somebody leads
    a job there."""
    found = bulk_bundles.needless(retention_hours)
    for one in found:
        _remove(Path(one.path))
        BulkBundle.objects.filter(job_id=one.job_key, shard=one.shard, part=one.part).delete()
    return len(found)


def _remove(folder: Path) -> None:
    # Its parent is of this bundle alone. A path from a row must not lead anywhere else.
    if folder.resolve().is_relative_to((load_config().var_dir / "bulk").resolve()):
        shutil.rmtree(folder.parent, ignore_errors=True)
