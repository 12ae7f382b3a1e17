"""Bulk ingestion from the command line: plan, run, make, list, show, pause, resume, abort, rejects, work."""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from bulk_ingest.engines.local import local_engine
from bulk_ingest.finishing import GRAPHS_FROM
from bulk_ingest.leading import (
    DEFAULT_LOADERS,
    DEFAULT_MASTER,
    DEFAULT_WORKERS,
    DONE,
    ENGINES,
    engine_of,
    exit_code,
    folder_of_jobs,
    lead_here,
    lead_with_spark,
    leader,
    line_of,
)
from bulk_ingest.plan import SAMPLED_TEXTS, Plan, expect, make_plan
from bulk_ingest.planning import Names, check_room, columns_for, job_options, planned_files, texts_per_second
from bulk_ingest.rejects import read_rejects
from bulk_ingest.role import work_on_imports
from bulk_ingest.sources.files import FORMATS
from bulk_ingest.sources.raw import Columns
from embedding_project.config import load_config
from embedding_project.contracts.model_spec import ModelSpec
from embedding_project.contracts.names import checked_namespace
from embeddings_app.models import BulkJob, BulkWish
from embeddings_app.records import bulk_jobs
from embeddings_app.services.audit import command_actor
from embeddings_app.services.bulk.jobs import NewJob, find_job, made_before, make_job, target_spec, want
from embeddings_app.services.bulk.progress import progress
from embeddings_app.services.bulk.sources import OBJECTS


def main(argv: Sequence[str]) -> int:
    options = _parser().parse_args(argv)
    acts: Mapping[str, Callable[[argparse.Namespace], int]] = {
        "plan": _plan,
        "run": _run,
        "make": _make,
        "list": _list,
        "show": _show,
        "pause": _pause,
        "resume": _resume,
        "abort": _abort,
        "rejects": _rejects,
        "work": _work,
    }
    return exit_code(lambda: acts[options.action](options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="manage.py bulk_ingest", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    planning = actions.add_parser("plan", help="say what a job would load and take; writes nothing")
    running = actions.add_parser("run", help="load files into a namespace, and wait for the end")
    making = actions.add_parser("make", help="make a job that another process leads, and print its number")
    for one in (planning, running, making):
        _add_source(one)
    for one in (running, making):
        one.add_argument("--on-existing", choices=("update", "skip", "fail"), default="update")
        one.add_argument("--max-rejects", type=_rejects_limit, default="1000", help="a number, or a share such as 1%%")
        one.add_argument("--key", help="the same key again goes on with the same job")
        one.add_argument(
            "--graphs-from", type=_at_least_one, default=GRAPHS_FROM, help="new rows from which the job builds graphs"
        )
        one.add_argument("--engine", choices=ENGINES, default=ENGINES[0], help="what does the work")
    _add_spark(running)
    _add_readiness(running)
    actions.add_parser("list", help="show all jobs")
    working = actions.add_parser("work", help="work on jobs that the API and the admin start; the role bulk")
    working.add_argument("--workers", type=_at_least_one, default=load_config().bulk_workers)
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
            one.add_argument("--workers", type=_at_least_one, default=DEFAULT_WORKERS)
        if name == "resume":
            _add_spark(one)
            _add_readiness(one)
    return parser


def _add_readiness(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--register-without-nodes", dest="await_replicas", action="store_false",
        help="do not wait until index nodes have read the graphs of the job; not with Spark",
    )  # fmt: skip


def _add_spark(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--master", default=DEFAULT_MASTER, help="of Spark; local[2] when left out")
    parser.add_argument(
        "--loaders", type=_at_least_one, default=DEFAULT_LOADERS, help="Spark's tasks with a connection at a time"
    )


def _add_source(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source", nargs="+", help="a file, a folder or a pattern; s3://bucket/key, a prefix or a pattern of it"
    )
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--model-id")
    parser.add_argument("--format", choices=("auto", *FORMATS), default="auto")
    parser.add_argument("--workers", type=_at_least_one, default=DEFAULT_WORKERS, help="processes; 2 when left out")
    parser.add_argument("--bucket-rows", type=_at_least_one, help="rows of one transaction")
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


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def _made_plan(options: argparse.Namespace) -> tuple[Plan, Columns, ModelSpec]:
    """The plan, what it reads, and the model version whose vectors are loaded or computed."""
    checked_namespace(options.namespace)
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
    return _lead(_made_job(options), options)


def _make(options: argparse.Namespace) -> int:
    print(_made_job(options).pk)
    return DONE


def _lead(job: BulkJob, options: argparse.Namespace) -> int:
    if engine_of(job) == "spark":
        lead_with_spark(job, options.master, options.loaders)
    return lead_here(job, options.workers, await_replicas=options.await_replicas)


def _made_job(options: argparse.Namespace) -> BulkJob:
    """The job of the key, or a new one."""
    asked = NewJob(
        namespace=options.namespace,
        model_id=options.model_id,
        files=(),
        splitters=(),
        options={},
        asked=_asked(options),
        idempotency_key=options.key,
    )
    known = made_before(asked)
    if known is not None:
        return known
    plan, columns, spec = _made_plan(options)
    check_room(plan, expect(plan.rows, spec.dimension, options.workers), spec)
    share = options.max_rejects.endswith("%")
    limit = float(options.max_rejects.rstrip("%"))
    chosen = job_options(
        plan,
        columns,
        on_existing=options.on_existing,
        max_rejects=int(plan.rows * limit / 100 if share else limit),
    )
    new = replace(
        asked,
        files=planned_files(plan),
        splitters=plan.splitters,
        options={"engine": options.engine, "graphs_from": options.graphs_from, **chosen},
    )
    return make_job(new, command_actor())


def _asked(options: argparse.Namespace) -> dict[str, Any]:
    """What is loaded, but not how."""
    names = ("format", "id_column", "text_column", "vector_column", "metadata_column", "on_existing", "max_rejects")
    sources = [one if one.startswith(OBJECTS) else str(Path(one).absolute()) for one in options.source]
    return {"source": sources, **{name: getattr(options, name) for name in names}}


def _list(_options: argparse.Namespace) -> int:
    for job in BulkJob.objects.select_related("namespace"):
        print(line_of(job))
    return DONE


def _show(options: argparse.Namespace) -> int:
    job = find_job(options.job)
    found = progress(job)
    if options.json:
        fields = {"id": job.pk, "namespace": job.namespace_name, "state": job.state, "wanted": job.wanted}
        took = {"registering_seconds": job.registering_seconds, "following_seconds": job.following_seconds}
        print(json.dumps({**fields, "error": job.error, **took, **asdict(found)}))
        return DONE
    print(line_of(job))
    print("  ".join(f"{name} {count:,}" for name, count in asdict(found.rows).items()))
    if job.registering_seconds is not None:
        print(f"longest transaction that made documents visible: {1e3 * job.registering_seconds:,.0f} ms")
    if job.following_seconds is not None:
        print(f"index nodes had taken them over after {job.following_seconds:.1f} s")
    if job.error:
        print(job.error)
    return DONE


def _pause(options: argparse.Namespace) -> int:
    job = find_job(options.job)
    want(job, BulkWish.PAUSE, command_actor())
    print(f"{job}: it stops within some seconds; go on with: manage.py bulk_ingest resume {job.pk}")
    return DONE


def _resume(options: argparse.Namespace) -> int:
    job = find_job(options.job)
    want(job, BulkWish.RUN, command_actor())
    return _lead(job, options)


def _abort(options: argparse.Namespace) -> int:
    job = find_job(options.job)
    want(job, BulkWish.ABORT, command_actor())
    if bulk_jobs.has_worker(job.pk):
        print(f"{job}: its process ends it")
        return DONE
    return lead_here(job, options.workers)


def _work(options: argparse.Namespace) -> int:
    work_on_imports(lambda: leader(local_engine(options.workers), options.workers))
    return DONE


def _rejects(options: argparse.Namespace) -> int:
    for line in read_rejects(folder_of_jobs() / str(find_job(options.job).pk)):
        sys.stdout.write(line)
    return DONE
