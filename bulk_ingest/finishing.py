"""The stages of a job after its rows are in Postgres: graphs are built, replicas prepare them, the block opens, and the
log names what clients have changed meanwhile.

A job of few rows builds no graphs, and one whose replicas cannot use them goes on without: the block then opens part by
part, as fast as nodes follow.
"""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bulk_ingest.bundling import BundleTask, build_bundle
from bulk_ingest.pool import Workers
from embedding_project.contracts.errors import ServiceError, Unavailable
from embedding_project.contracts.vector_storage import VectorStorage
from embeddings_app.models import BulkBlock, BulkBundle, BulkJob, BulkState
from embeddings_app.records import bulk_jobs
from embeddings_app.records.bulk_bundles import Part
from embeddings_app.records.topology import applied_by_all, await_seqs, heads, live_layouts, read_topology
from embeddings_app.services.bulk import registering
from embeddings_app.services.bulk.bundles import Readiness, drop_bundles, readiness
from embeddings_app.services.bulk.jobs import move
from embeddings_app.services.documents.build_backlog import check_backlog

GoOn = Callable[[], bool]
GRAPHS_FROM = 20_000
"""Fewer new documents are in graphs of nodes in the time that it takes to start builders and to prepare."""
BUNDLE_KEYS = 1_048_576
"""Of a shard, at most. A builder has its graph in memory, and a node searches few and large ones faster."""
PREPARE_SECONDS = 900.0
"""So long replicas may take to check and read the bundles."""
_LOOK_SECONDS = 0.2
_FOLLOW_SECONDS = 10.0
_POLL_SECONDS = 0.02
_MAX_WAIT_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finishing:
    """How a job is finished on this machine."""

    builders: int = 2
    """Processes, each of which builds one graph at a time."""
    await_replicas: bool = True
    """Whether the block opens only when replicas are ready; else those that are not lag for a while."""
    bundle_keys: int = BUNDLE_KEYS
    prepare_seconds: float = PREPARE_SECONDS


USUAL = Finishing()


def after_loading(job: BulkJob) -> BulkState:
    """The stage that follows when all rows are in Postgres."""
    many = bulk_jobs.count_rows(job.pk).inserted >= job.options.get("graphs_from", GRAPHS_FROM)
    return BulkState.BUILDING if many and len(live_layouts()) == 1 else BulkState.REGISTERING


def build(job: BulkJob, folder: Path, finishing: Finishing, go_on: GoOn) -> None:
    """Build the bundles that are not there yet. Raises BundleWrong, WorkersDied, OSError."""
    tasks = _tasks(job, folder / "bundles", finishing)
    with Workers(finishing.builders) as workers:
        ended = sum(1 for _ in workers.work_on(tasks, build_bundle, go_on))
    if ended == len(tasks):
        built = BulkBundle.objects.filter(job=job).exists()
        move(job, BulkState.PREPARING if built else BulkState.REGISTERING)


def _tasks(job: BulkJob, folder: Path, finishing: Finishing) -> list[BundleTask]:
    topology, block, version = read_topology(), BulkBlock.objects.get(pk=job.pk), job.model_version
    keys = block.last_key - block.first_key + 1
    parts = -(-keys // (finishing.bundle_keys * topology.shards))
    size = -(-keys // parts)
    there = set(BulkBundle.objects.filter(job=job).values_list("shard", "part"))
    wanted = [(shard, part) for part in range(parts) for shard in range(topology.shards)]
    left = [one for one in wanted if one not in there]
    return [
        BundleTask(
            rows=Part(
                job_key=job.pk,
                version_key=version.pk,
                shards=topology.shards,
                shard=shard,
                first_key=block.first_key + part * size,
                last_key=min(block.first_key + (part + 1) * size - 1, block.last_key),
            ),
            part=part,
            folder=folder,
            epoch=topology.epoch,
            layout=topology.layout,
            namespace_key=job.space.pk,
            dimension=version.dimension,
            storage=VectorStorage(version.storage),
            threads=max(1, finishing.builders // len(left)),
        )
        for shard, part in left
    ]


def prepare(job: BulkJob, finishing: Finishing, go_on: GoOn) -> None:
    """Wait until the replicas have prepared the bundles, then register. Raises ServiceError."""
    deadline = time.monotonic() + finishing.prepare_seconds
    while go_on():
        found = readiness(job) if finishing.await_replicas else Readiness.READY
        if found is Readiness.USELESS:
            drop_bundles(job)
            move(job, BulkState.REGISTERING)
            return
        if found is Readiness.READY:
            registering.register(job.pk)
            registered = time.monotonic()
            let_nodes_follow(job.model_version_id, registered + _FOLLOW_SECONDS)
            bulk_jobs.note_following(job.pk, time.monotonic() - registered)
            return
        if time.monotonic() > deadline:
            raise ServiceError(
                "illegal_step",
                f"replicas did not prepare what {job} brings in time: resume it, or register without them",
            )
        time.sleep(_LOOK_SECONDS)


def open_parts(job: BulkJob, folder: Path, go_on: GoOn, at_once: int = registering.ENTRIES_AT_ONCE) -> None:
    """Open the block part by part, as fast as nodes apply the entries and build graphs, unless it is open already; then
    end the job."""
    while go_on():
        try:
            if registering.hides_documents(job.pk):
                check_backlog(job.model_version_id)
        except Unavailable as busy:
            time.sleep(min(busy.retry_after_seconds, _MAX_WAIT_SECONDS))
            continue
        if registering.open_part(job.pk, at_once).ended:
            remove_spread(folder)
            return
        let_nodes_follow(job.model_version_id, time.monotonic() + _FOLLOW_SECONDS)


def remove_spread(folder: Path) -> None:
    """The rows are in Postgres."""
    shutil.rmtree(folder / "spread", ignore_errors=True)


def remove_bundles(job: BulkJob, folder: Path) -> None:
    """Of a job that has ended, what no node needs any more."""
    if not BulkBundle.objects.filter(job=job).exists():
        shutil.rmtree(folder / "bundles", ignore_errors=True)


def let_nodes_follow(version_key: int, deadline: float) -> None:
    """Wait until the replicas that answer searches have applied the log: one that lags answers no longer."""
    topology = read_topology()
    wanted = heads(topology.layout, version_key, range(topology.shards))
    await_seqs(topology.layout, version_key, wanted)
    while time.monotonic() < deadline:
        applied = applied_by_all(topology.layout, version_key)
        if all(seq >= wanted.get(shard, 0) for shard, seq in applied.items()):
            return
        time.sleep(_POLL_SECONDS)
