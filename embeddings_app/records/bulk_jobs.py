"""Bulk jobs as rows: which are open, who works on one, and what their files and buckets add up to."""

from collections.abc import Sequence
from dataclasses import dataclass

from embeddings_app.models import OPEN_BULK_STATES, BulkJob, BulkState
from embeddings_app.records.sql import execute, row, rows

_OPEN = BulkJob.objects.filter(state__in=OPEN_BULK_STATES)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCounts:
    """What became of the rows of a job; each is counted once."""

    read: int
    inserted: int
    updated: int
    unchanged: int
    superseded: int
    duplicates: int
    rejected: int

    @property
    def settled(self) -> int:
        """Rows that have their outcome."""
        loaded = self.inserted + self.updated + self.unchanged + self.superseded
        return loaded + self.duplicates + self.rejected

    @property
    def add_up(self) -> bool:
        return self.read == self.settled


def open_for_model(model_id: str) -> BulkJob | None:
    """A job that loads documents of the model. Call it in a statement after a lock of the model."""
    return _OPEN.filter(model_version__model_id=model_id).first()


def open_into(namespace: str) -> BulkJob | None:
    """The job that loads documents into the namespace."""
    return _OPEN.filter(namespace__name=namespace).first()


def queued_for(namespace: str) -> BulkJob | None:
    """The job that makes the namespace as soon as it has found its files."""
    return _OPEN.filter(new_namespace=namespace).first()


def way_on(job: BulkJob) -> str:
    """For people: that the job is in the way, and what ends it."""
    failed = job.state == BulkState.FAILED
    wait = f"'manage.py bulk_ingest resume {job.pk}'" if failed else "wait for its end"
    abort = f"'manage.py bulk_ingest abort {job.pk}' or POST /v1/imports/{job.pk}/abort"
    state = "has failed, and is open" if failed else f"is {job.state}"
    return f"bulk job {job.pk} {state}: {wait}, or end it with {abort}"


def take_lease(job_key: int, worker: str, seconds: float) -> bool:
    """Become the one who works on the job, or stay it; False while somebody else is."""
    return bool(
        execute(
            """
            UPDATE bulk_job SET worker = %(worker)s, lease_until = now() + make_interval(secs => %(seconds)s)
            WHERE id = %(job)s AND (worker IN ('', %(worker)s) OR lease_until < now())
            """,
            {"job": job_key, "worker": worker, "seconds": seconds},
        )
    )


def give_back(job_key: int, worker: str) -> None:
    """Let others work on the job at once. No task of it is under way until then."""
    execute(
        """
        UPDATE bulk_job SET worker = '', lease_until = NULL, under_way = 0, under_way_rate = 0
        WHERE id = %s AND worker = %s
        """,
        [job_key, worker],
    )


def has_worker(job_key: int) -> bool:
    (found,) = row("SELECT worker <> '' AND lease_until > now() FROM bulk_job WHERE id = %s", [job_key])
    return bool(found)


def tell_under_way(job_key: int, rows_under_way: int, per_second: float) -> None:
    """How many rows the tasks have done whose transactions have not ended yet."""
    execute(
        """
        UPDATE bulk_job SET under_way = %(rows)s, under_way_rate = %(rate)s
        WHERE id = %(job)s AND (under_way, under_way_rate) <> (%(rows)s, %(rate)s)
        """,
        {"job": job_key, "rows": rows_under_way, "rate": per_second},
    )


def note_registering(job_key: int, seconds: float) -> None:
    """How long a transaction took that made documents of the job visible; the longest one is kept."""
    execute(
        "UPDATE bulk_job SET registering_seconds = greatest(registering_seconds, %s) WHERE id = %s", [seconds, job_key]
    )


def note_following(job_key: int, seconds: float) -> None:
    """How long the replicas took to take over what was registered at once."""
    execute("UPDATE bulk_job SET following_seconds = %s WHERE id = %s", [seconds, job_key])


def newest_registering() -> float | None:
    """Of the newest job of which documents became visible."""
    found = rows(
        "SELECT registering_seconds FROM bulk_job WHERE registering_seconds IS NOT NULL ORDER BY id DESC LIMIT 1"
    )
    return float(found[0][0]) if found else None


def next_for_role(resting: Sequence[int] = ()) -> int | None:
    """The oldest job that the role bulk should work on, but for those that rest, and that nobody works on."""
    found = rows(
        """
        SELECT id FROM bulk_job
        WHERE by_role AND id <> ALL(%s::bigint[]) AND (worker = '' OR lease_until < now())
          AND (wanted = 'run' AND state NOT IN ('done', 'failed', 'aborted')
               OR wanted = 'abort' AND state NOT IN ('done', 'aborted'))
        ORDER BY id LIMIT 1
        """,
        [list(resting)],
    )
    return int(found[0][0]) if found else None


def count_rows(job_key: int) -> RowCounts:
    """Of the files that were spread and the buckets that were loaded."""
    read, rejected = row(
        "SELECT coalesce(sum(rows), 0), coalesce(sum(rejected), 0) FROM bulk_file WHERE job_id = %s", [job_key]
    )
    loaded = row(
        """
        SELECT coalesce(sum(inserted), 0), coalesce(sum(updated), 0), coalesce(sum(unchanged), 0),
               coalesce(sum(superseded), 0), coalesce(sum(duplicates), 0), coalesce(sum(rejected), 0)
        FROM bulk_bucket WHERE job_id = %s
        """,
        [job_key],
    )
    inserted, updated, unchanged, superseded, duplicates, not_embedded = map(int, loaded)
    return RowCounts(
        read=int(read),
        inserted=inserted,
        updated=updated,
        unchanged=unchanged,
        superseded=superseded,
        duplicates=duplicates,
        rejected=int(rejected) + not_embedded,
    )


_LATEST_BUCKETS = 16
_LATELY = "10 min"


def load_rate(job_key: int) -> float | None:
    """Rows a second, by the buckets that were loaded last; None when none was for a while."""
    found, seconds = row(
        """
        SELECT sum(found), extract(epoch FROM now() - min(began))::float8 FROM (
            SELECT inserted + updated + unchanged + superseded + duplicates + rejected AS found,
                   loaded_at - make_interval(secs => seconds) AS began
            FROM bulk_bucket WHERE job_id = %s AND loaded_at > now() - %s::interval
            ORDER BY loaded_at DESC LIMIT %s) AS latest
        """,
        [job_key, _LATELY, _LATEST_BUCKETS],
    )
    return float(found) / seconds if found and seconds > 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenJob:
    """How far a job that has not ended is."""

    key: int
    rows: RowCounts
    rows_per_second: float | None
    """None when no bucket was loaded for a while."""


def open_jobs() -> list[OpenJob]:
    keys = _OPEN.order_by("pk").values_list("pk", flat=True)
    return [OpenJob(key=key, rows=count_rows(key), rows_per_second=load_rate(key)) for key in keys]


def jobs_by_state() -> dict[str, int]:
    """Of all that there ever were."""
    return dict(rows("SELECT state, count(*) FROM bulk_job GROUP BY state", []))


def loaded_buckets(job_key: int) -> set[int]:
    """Numbers of the buckets whose rows are in the tables."""
    return {number for (number,) in rows("SELECT number FROM bulk_bucket WHERE job_id = %s", [job_key])}
