"""Leads one job through its stages: spread, load, build, prepare, register. Each may be repeated after a death."""

import json
import logging
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Self

import psycopg
from django.db import connection
from django.db.utils import Error

from bulk_ingest import finishing, under_way
from bulk_ingest.buckets import SpreadFile
from bulk_ingest.bundling import BundleWrong
from bulk_ingest.embedded_texts import ModelUnusable
from bulk_ingest.engines.base import Engine, EngineFailed, EngineRun
from bulk_ingest.finishing import USUAL, Finishing
from bulk_ingest.loading import BucketRefused
from bulk_ingest.planning import plan_import
from bulk_ingest.pool import WorkersDied
from bulk_ingest.rejects import read_rejects
from bulk_ingest.sources.raw import Columns, InputFile, SourceError
from bulk_ingest.spreading import TooManyRejects
from bulk_ingest.tasks import BucketTask, SpreadTask
from embedding_project.contracts.errors import ServiceError
from embedding_project.contracts.languages import OFF
from embedding_project.contracts.model_spec import ModelSpec
from embedding_project.observing.log_lines import place_of
from embeddings_app import registry
from embeddings_app.models import BulkFile, BulkJob, BulkState, BulkWish
from embeddings_app.records import bulk_blocks, bulk_jobs, bulk_loading
from embeddings_app.records.topology import read_topology
from embeddings_app.records.transactions import in_transaction
from embeddings_app.services.bulk import aborting, registering
from embeddings_app.services.bulk.jobs import after_failure, move

LEASE_SECONDS = 8.0
"""So long after the death of a leader nobody else leads. Two leaders at once would cost time and no correctness."""
HEARTBEAT_SECONDS = 2.0
_LEASE_POLL_SECONDS = 0.2
_REJECTS_SHOWN = 20
logger = logging.getLogger(__name__)

FAILURES = (
    SourceError,
    BucketRefused,
    BundleWrong,
    TooManyRejects,
    WorkersDied,
    EngineFailed,
    ModelUnusable,
    ServiceError,
    OSError,
)
"""After these the job has failed, and after what nobody foresaw. What Postgres or a signal interrupts goes on when
somebody leads the job again."""


class LeaseLost(Exception):
    """Another process works on the job."""


@dataclass(frozen=True, slots=True)
class Leader:
    """This process, as the leader of jobs."""

    name: str
    """Of no other process."""
    work_dir: Path
    """Holds a folder for each job."""
    engine: EngineRun
    """Does the tasks."""
    processes: int = 1
    """Of the engine, for estimates."""
    finishing: Finishing = USUAL

    def folder(self, job_key: int) -> Path:
        return self.work_dir / str(job_key)

    def lead(self, job_key: int) -> BulkJob:
        """Work on the job until it ends, fails or is paused; gives it as it is then. Raises LeaseLost."""
        self._sweep()
        self._take_lease(job_key)
        try:
            with _Heartbeat(job_key, self.name, self.folder(job_key)) as heartbeat, self.engine as engine:
                try:
                    self._run(job_key, engine, heartbeat.holds)
                except FAILURES as error:
                    move(BulkJob.objects.get(pk=job_key), BulkState.FAILED, error=str(error))
                except (Error, psycopg.Error):
                    raise
                except Exception as error:  # noqa: BLE001
                    # Its message may quote what stands in the files.
                    logger.error("bulk job %d: %s", job_key, place_of(error))
                    told = f"internal_error: {type(error).__name__}, see the log of the process"
                    move(BulkJob.objects.get(pk=job_key), BulkState.FAILED, error=told)
        finally:
            bulk_jobs.give_back(job_key, self.name)
        if not heartbeat.holds():
            raise LeaseLost(f"another process works on bulk job {job_key}")
        return BulkJob.objects.select_related("namespace", "model_version").get(pk=job_key)

    def _sweep(self) -> None:
        """Remove what leaders left that died at the very end of a job."""
        for folder in self.work_dir.glob("[0-9]*"):
            if not folder.name.isdecimal():
                continue
            job = BulkJob.objects.filter(pk=int(folder.name)).first()
            if job is None or job.state == BulkState.ABORTED:
                shutil.rmtree(folder, ignore_errors=True)
            elif job.state == BulkState.DONE:
                finishing.remove_spread(folder)
                finishing.remove_bundles(job, folder)

    def _take_lease(self, job_key: int) -> None:
        """Wait as long as a leader that has died may still hold it. Raises LeaseLost."""
        until = time.monotonic() + LEASE_SECONDS + HEARTBEAT_SECONDS
        while not bulk_jobs.take_lease(job_key, self.name, LEASE_SECONDS):
            if time.monotonic() > until:
                raise LeaseLost(f"another process works on bulk job {job_key}")
            time.sleep(_LEASE_POLL_SECONDS)

    def _run(self, job_key: int, engine: Engine, holds: Callable[[], bool]) -> None:
        while holds():
            job = BulkJob.objects.select_related("namespace", "model_version").get(pk=job_key)
            if job.wanted == BulkWish.ABORT and job.state not in (BulkState.DONE, BulkState.ABORTED):
                self._abort(job)
                return
            if job.wanted != BulkWish.RUN or job.state in (BulkState.DONE, BulkState.ABORTED):
                return
            # A job that registers has all its rows in Postgres, and tells the logs of now: a restore changes neither.
            if job.state != BulkState.REGISTERING and str(job.epoch) != read_topology().epoch:
                raise BucketRefused("epoch_changed: a backup was restored since the job was made; abort it")
            self._step(job, engine, holds)

    def _step(self, job: BulkJob, engine: Engine, holds: Callable[[], bool]) -> None:
        def go_on() -> bool:
            return holds() and BulkJob.objects.filter(pk=job.pk, wanted=BulkWish.RUN).exists()

        if job.state == BulkState.FAILED:
            in_transaction(lambda: after_failure(job))
        elif job.state == BulkState.QUEUED:
            plan_import(job, self.processes)
        elif job.state == BulkState.PLANNED:
            self._spread(job, engine, go_on)
        elif job.state == BulkState.LOADING:
            self._load(job, engine, go_on)
        elif job.state == BulkState.BUILDING:
            finishing.build(job, self.folder(job.pk), self.finishing, go_on)
        elif job.state == BulkState.PREPARING:
            finishing.prepare(job, self.finishing, go_on)
        elif job.state == BulkState.REGISTERING:
            finishing.open_parts(job, self.folder(job.pk), go_on)
        else:
            raise ServiceError("illegal_step", f"{job}: abort it")

    def _spread(self, job: BulkJob, engine: Engine, go_on: Callable[[], bool]) -> None:
        under_way.begin(self.folder(job.pk))
        left = BulkFile.objects.filter(job=job, spread__isnull=True).order_by("number")
        tasks = [self._spread_task(job, file) for file in left]
        for _ in engine.spread(tasks, go_on):
            self._check_rejects(job)
        if not left.exists():
            rows = bulk_jobs.count_rows(job.pk)
            keys = max(rows.read - rows.rejected, 1)
            in_transaction(lambda: bulk_blocks.reserve(job.pk, job.model_version_id, keys))
            move(job, BulkState.LOADING)

    def _spread_task(self, job: BulkJob, file: BulkFile) -> SpreadTask:
        part, columns = job.options["parts"][file.number], Columns(**job.options["columns"])
        return SpreadTask(
            job_key=job.pk,
            number=file.number,
            file=InputFile(
                path=file.path,
                size=file.size,
                modified_ns=file.modified_ns,
                etag=file.etag,
                format=part["format"],
                groups=tuple(part["groups"]) if part["groups"] else None,
            ),
            folder=self.folder(job.pk),
            namespace=job.namespace_name,
            dimension=job.model_version.dimension if columns.vector is not None else 0,
            columns=columns,
            splitters=tuple(job.splitters),
            max_rejects=job.options["max_rejects"],
        )

    def _load(self, job: BulkJob, engine: Engine, go_on: Callable[[], bool]) -> None:
        under_way.begin(self.folder(job.pk))
        inputs = list(BulkFile.objects.filter(job=job).order_by("number"))
        files = [SpreadFile.from_wire(wire) for file in inputs for wire in file.spread or ()]
        loaded = bulk_jobs.loaded_buckets(job.pk)
        block = bulk_blocks.reserve(job.pk, job.model_version_id, 0)
        spec = registry.spec_of(job.model_version)
        tasks, first_key = [], block.first_key
        for number in range(len(job.splitters) + 1):
            if number not in loaded:
                tasks.append(self._bucket_task(job, spec, number, files, first_key))
            first_key += sum(file.rows.get(number, 0) for file in files)
        for _ in engine.fill([self._spread_task(job, file) for file in inputs], tasks, go_on):
            self._check_rejects(job)
        if len(bulk_jobs.loaded_buckets(job.pk)) == len(job.splitters) + 1:
            under_way.end(self.folder(job.pk))
            registering.check_counts(job)
            with_words = job.space.text_search != OFF
            bulk_loading.refresh_statistics(job.model_version_id, go_on, with_words=with_words)
            if go_on():
                move(job, finishing.after_loading(job))

    def _bucket_task(
        self, job: BulkJob, spec: ModelSpec, number: int, files: list[SpreadFile], first_key: int
    ) -> BucketTask:
        return BucketTask(
            job_key=job.pk,
            number=number,
            folder=self.folder(job.pk),
            files=tuple(file for file in files if number in file.rows),
            dimension=spec.dimension,
            model=spec if Columns(**job.options["columns"]).vector is None else None,
            first_key=first_key,
            on_existing=job.options["on_existing"],
        )

    def _check_rejects(self, job: BulkJob) -> None:
        """Keep some rejects where every process can read them. Raises TooManyRejects."""
        rejected = bulk_jobs.count_rows(job.pk).rejected
        if rejected and len(job.rejects_sample) < _REJECTS_SHOWN:
            job.rejects_sample = [
                json.loads(line) for line in islice(read_rejects(self.folder(job.pk)), _REJECTS_SHOWN)
            ]
            BulkJob.objects.filter(pk=job.pk).update(rejects_sample=job.rejects_sample)
        if rejected > job.options["max_rejects"]:
            raise TooManyRejects(f"more than {job.options['max_rejects']} rows are rejected")

    def _abort(self, job: BulkJob) -> None:
        aborting.begin_abort(job)
        while aborting.delete_part(job.pk):
            pass
        aborting.end_abort(job)
        shutil.rmtree(self.folder(job.pk), ignore_errors=True)


class _Heartbeat:
    """Renews the lease, and tells how far tasks are, in a thread of its own."""

    def __init__(self, job_key: int, name: str, folder: Path) -> None:
        self._job_key = job_key
        self._folder = folder
        self._name = name
        self._ended = threading.Event()
        self._held_until = time.monotonic() + LEASE_SECONDS
        self._lost = False
        self._thread = threading.Thread(target=self._renew, name="bulk-lease", daemon=True)

    def holds(self) -> bool:
        return not self._lost and time.monotonic() < self._held_until

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _renew(self) -> None:
        try:
            while not self._ended.wait(HEARTBEAT_SECONDS):
                asked_at = time.monotonic()
                try:
                    if not bulk_jobs.take_lease(self._job_key, self._name, LEASE_SECONDS):
                        self._lost = True
                        return
                    self._held_until = asked_at + LEASE_SECONDS
                    found = under_way.moved(self._folder)
                    bulk_jobs.tell_under_way(self._job_key, found.rows, found.per_second)
                except Error:
                    continue  # the lease is believed in until it runs out
        finally:
            connection.close()
