"""Bulk ingestion from the command line: plan, run, list, show, pause, resume, abort, rejects."""

import argparse
import json
import os
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from django.db.utils import Error

from bulk_ingest.embedded_texts import ModelUnusable
from bulk_ingest.engines.local import local_engine
from bulk_ingest.job import Leader, LeaseLost
from bulk_ingest.plan import SAMPLED_TEXTS, Plan, expect, make_plan
from bulk_ingest.planning import Names, check_room, columns_for, job_options, planned_files, texts_per_second
from bulk_ingest.rejects import read_rejects
from bulk_ingest.role import work_on_imports
from bulk_ingest.shown import Shown
from bulk_ingest.sources.files import FORMATS
from bulk_ingest.sources.raw import Columns, SourceError
from embedding_project.config import load_config
from embedding_project.contracts.errors import InvalidRequest, ServiceError
from embedding_project.contracts.model_spec import ModelSpec
from embedding_project.contracts.names import checked_namespace
from embeddings_app.models import BulkJob, BulkState, BulkWish
from embeddings_app.records import bulk_jobs
from embeddings_app.services.audit import command_actor
from embeddings_app.services.bulk.jobs import NewJob, find_job, make_job, target_spec, want
from embeddings_app.services.bulk.progress import progress

DONE, FAILED, DONE_WITH_REJECTS, PAUSED = 0, 1, 3, 4
"""Exit codes of the commands that work on a job."""
_DEFAULT_WORKERS = 2


def main(argv: Sequence[str]) -> int:
    options = _parser().parse_args(argv)
    acts: Mapping[str, Callable[[argparse.Namespace], int]] = {
        "plan": _plan,
        "run": _run,
        "list": _list,
        "show": _show,
        "pause": _pause,
        "resume": _resume,
        "abort": _abort,
        "rejects": _rejects,
        "work": _work,
    }
    try:
        return acts[options.action](options)
    except (SourceError, LeaseLost, ModelUnusable) as error:
        return _fail(str(error))
    except ServiceError as error:
        return _fail(error.message)
    except Error as error:
        return _fail(f"the database failed: {str(error).strip().splitlines()[0]}")


def _fail(reason: str) -> int:
    print(f"bulk_ingest: {reason}", file=sys.stderr)
    return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="manage.py bulk_ingest", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    planning = actions.add_parser("plan", help="say what a job would load and take; writes nothing")
    running = actions.add_parser("run", help="load files into a namespace, and wait for the end")
    for one in (planning, running):
        _add_source(one)
    running.add_argument("--on-existing", choices=("update", "skip", "fail"), default="update")
    running.add_argument("--max-rejects", type=_rejects_limit, default="1000", help="a number, or a share such as 1%%")
    running.add_argument("--key", help="the same key again goes on with the same job")
    actions.add_parser("list", help="show all jobs")
    working = actions.add_parser("work", help="work on jobs that the API and the admin start; the role bulk")
    working.add_argument("--workers", type=int, default=load_config().bulk_workers)
    for name, text in (
        ("show", "show how far a job is"),
        ("pause", "let a job stop after the buckets that are under way"),
        ("resume", "go on with a job that was paused, failed or died, and wait for its end"),
        ("abort", "end a job and delete what it inserted"),
        ("rejects", "print the rows that were not loaded, as JSON lines"),
    ):
        one = actions.add_parser(name, help=text)
        one.add_argument("job", type=int)
        if name == "show":
            one.add_argument("--json", action="store_true")
        if name in ("resume", "abort"):
            one.add_argument("--workers", type=int, default=_DEFAULT_WORKERS)
    return parser


def _add_source(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source", nargs="+", help="a file, a folder or a pattern; s3://bucket/key, a prefix or a pattern of it"
    )
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--model-id")
    parser.add_argument("--format", choices=("auto", *FORMATS), default="auto")
    parser.add_argument("--workers", type=int, default=_DEFAULT_WORKERS, help="processes; 2 when left out")
    parser.add_argument("--bucket-rows", type=int, help="rows of one transaction")
    for name in ("id", "text", "metadata"):
        parser.add_argument(f"--{name}-column", default=name)
    parser.add_argument("--vector-column", help="'vector' when left out; of no use for a model that embeds texts")


def _rejects_limit(value: str) -> str:
    share, _, rest = value.partition("%")
    if rest or not share.replace(".", "", 1).isdigit():
        raise argparse.ArgumentTypeError("give a number, or a share such as 1%")
    return value


def _columns(options: argparse.Namespace, spec: ModelSpec) -> Columns:
    return columns_for(
        spec,
        Names(
            doc_id=options.id_column,
            text=options.text_column,
            vector=options.vector_column,
            metadata=options.metadata_column,
        ),
    )


def _made_plan(options: argparse.Namespace) -> tuple[Plan, Columns, ModelSpec]:
    """The plan, what it reads, and the model version whose vectors are loaded or computed."""
    checked_namespace(options.namespace)
    if options.workers < 1 or (options.bucket_rows is not None and options.bucket_rows < 1):
        raise InvalidRequest("invalid_value", "--workers and --bucket-rows are 1 at least")
    spec = target_spec(options.namespace, options.model_id)
    columns = _columns(options, spec)
    return make_plan(options.source, options.format, columns, options.bucket_rows), columns, spec


def _plan(options: argparse.Namespace) -> int:
    plan, columns, spec = _made_plan(options)
    rate = texts_per_second(plan, columns, spec, options.workers) if columns.vector is None else None
    expected = expect(plan.rows, spec.dimension, options.workers, rate)
    files = len({file.path for file in plan.files})
    print(f"{files} files, about {plan.rows:,} rows, {plan.buckets} buckets, dimension {spec.dimension}")
    disk, work = expected.disk_bytes / 2**20, expected.work_bytes / 2**20
    print(f"about {disk:,.0f} MiB on the disk of Postgres, {work:,.0f} MiB for files of the job")
    if rate is not None:
        print(f"about {rate:,.0f} texts a second, by {SAMPLED_TEXTS} of them that were embedded now")
    print(f"about {expected.seconds:,.0f} s until all rows are in Postgres")
    check_room(plan, expected, spec)
    return DONE


def _run(options: argparse.Namespace) -> int:
    known = BulkJob.objects.filter(idempotency_key=options.key).first() if options.key else None
    if known is not None:
        return _lead(known, options.workers)
    plan, columns, spec = _made_plan(options)
    check_room(plan, expect(plan.rows, spec.dimension, options.workers), spec)
    share = options.max_rejects.endswith("%")
    limit = float(options.max_rejects.rstrip("%"))
    new = NewJob(
        namespace=options.namespace,
        model_id=options.model_id,
        files=planned_files(plan),
        splitters=plan.splitters,
        options=job_options(
            plan,
            columns,
            on_existing=options.on_existing,
            max_rejects=int(plan.rows * limit / 100 if share else limit),
        ),
        idempotency_key=options.key,
    )
    return _lead(make_job(new, command_actor()), options.workers)


def _leader(workers: int) -> Leader:
    name = f"{socket.gethostname()}:{os.getpid()}:{time.time_ns()}"
    return Leader(name, load_config().var_dir / "bulk", local_engine(workers), workers)


def _folder(job: BulkJob) -> Path:
    return _leader(1).folder(job.pk)


def _lead(job: BulkJob, workers: int) -> int:
    with Shown(job.pk, sys.stderr):
        job = _leader(workers).lead(job.pk)
    found = progress(job)
    print(_line(job))
    if job.state == BulkState.FAILED:
        return _fail(job.error)
    if job.state not in (BulkState.DONE, BulkState.ABORTED):
        return PAUSED
    return DONE_WITH_REJECTS if found.rows.rejected and job.state == BulkState.DONE else DONE


def _list(_options: argparse.Namespace) -> int:
    for job in BulkJob.objects.select_related("namespace"):
        print(_line(job))
    return DONE


def _show(options: argparse.Namespace) -> int:
    job = find_job(options.job)
    found = progress(job)
    if options.json:
        fields = {"id": job.pk, "namespace": job.namespace.name, "state": job.state, "wanted": job.wanted}
        print(json.dumps({**fields, "error": job.error, **asdict(found)}))
        return DONE
    print(_line(job))
    print("  ".join(f"{name} {count:,}" for name, count in asdict(found.rows).items()))
    if job.error:
        print(job.error)
    return DONE


def _line(job: BulkJob) -> str:
    found = progress(job)
    wish = "" if job.wanted == BulkWish.RUN else f", {job.wanted} wanted"
    return f"bulk job {job.pk}  {job.namespace.name}  {job.state}{wish}  {found.stage} {found.share:.0%}"


def _pause(options: argparse.Namespace) -> int:
    want(find_job(options.job), BulkWish.PAUSE, command_actor())
    return DONE


def _resume(options: argparse.Namespace) -> int:
    job = find_job(options.job)
    want(job, BulkWish.RUN, command_actor())
    return _lead(job, options.workers)


def _abort(options: argparse.Namespace) -> int:
    job = find_job(options.job)
    want(job, BulkWish.ABORT, command_actor())
    if bulk_jobs.has_worker(job.pk):
        print(f"{job}: its process ends it")
        return DONE
    return _lead(job, options.workers)


def _work(options: argparse.Namespace) -> int:
    work_on_imports(lambda: _leader(options.workers))
    return DONE


def _rejects(options: argparse.Namespace) -> int:
    for line in read_rejects(_folder(find_job(options.job))):
        sys.stdout.write(line)
    return DONE
