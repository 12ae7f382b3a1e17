"""Runs of periodic jobs: one at a time by a lease, the last result of each, and a bounded history."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from embeddings_app.models import JobState, RunOutcome
from embeddings_app.records import leases
from embeddings_app.records.leases import Holding, Taken
from embeddings_app.records.sql import execute, row

ABANDONED = "abandoned"
"""Error code of a run whose lease ran out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedRun:
    """What a run has to say when it ends."""

    outcome: RunOutcome
    error: str = ""
    result: Mapping[str, Any] = field(default_factory=dict)
    progress: Mapping[str, Any] | None = None
    """Where the next run continues; None leaves it where it was."""


@dataclass(frozen=True, slots=True)
class LastRun:
    """The last run of a job."""

    job: str
    started_at: datetime
    ended_at: datetime
    outcome: str
    last_ok_at: datetime | None

    @property
    def seconds(self) -> float:
        return (self.ended_at - self.started_at).total_seconds()


def begin_run(job: str, holder: str, seconds: float) -> Taken | None:
    """Take the lease of the job for so long; None while another run has it."""
    return leases.take(_lease(job), holder, seconds)


def progress_of(job: str) -> dict[str, Any]:
    """Where the last run stopped; empty before the first."""
    found = row("SELECT progress FROM job_state WHERE job = %s", [job])
    return json.loads(found[0]) if found else {}


def end_run(job: str, holder: str, ended: EndedRun, *, keep: bool) -> bool:
    """Give the lease back and write down how the run ended, with `keep` in the history too.

    False when the lease was lost meanwhile: then the run that took it over has noted the end of this one.
    """
    changed = row(
        f"""
        WITH freed AS (
            UPDATE lease SET holder = '' WHERE name = %(lease)s AND holder = %(holder)s RETURNING taken_at
        ), {_WRITTEN}
        SELECT count(*) FROM freed
        """,
        {"lease": _lease(job), **_parameters(job, holder, ended, keep=keep)},
    )
    return bool(changed[0])


def note_abandoned(job: str, left: Holding) -> None:
    """Write down that a run never ended, and that its lease ran out."""
    ended = EndedRun(outcome=RunOutcome.ABANDONED, error=ABANDONED)
    execute(
        f"WITH freed AS (SELECT %(taken_at)s::timestamptz AS taken_at), {_WRITTEN} SELECT 1",
        {"taken_at": left.taken_at, **_parameters(job, left.holder, ended, keep=True)},
    )


_WRITTEN = """
state AS (
    INSERT INTO job_state AS s (job, started_at, ended_at, outcome, error, result, progress, last_ok_at)
    SELECT %(job)s, freed.taken_at, now(), %(outcome)s, %(error)s, %(result)s::jsonb,
           coalesce(%(progress)s::jsonb, '{}'), CASE WHEN %(outcome)s = 'ok' THEN now() END
    FROM freed
    ON CONFLICT (job) DO UPDATE SET
        started_at = excluded.started_at, ended_at = excluded.ended_at, outcome = excluded.outcome,
        error = excluded.error, result = excluded.result,
        progress = coalesce(%(progress)s::jsonb, s.progress),
        last_ok_at = coalesce(excluded.last_ok_at, s.last_ok_at)
), history AS (
    INSERT INTO job_run (job, holder, started_at, ended_at, outcome, error, result)
    SELECT %(job)s, %(holder)s, freed.taken_at, now(), %(outcome)s, %(error)s, %(result)s::jsonb
    FROM freed WHERE %(keep)s
)
"""


def _parameters(job: str, holder: str, ended: EndedRun, *, keep: bool) -> dict[str, Any]:
    return {
        "job": job,
        "holder": holder,
        "outcome": ended.outcome.value,
        "error": ended.error,
        "result": json.dumps(ended.result),
        "progress": None if ended.progress is None else json.dumps(ended.progress),
        "keep": keep,
    }


def last_runs() -> list[LastRun]:
    """The last run of every job that ever ran."""
    states = JobState.objects.order_by("job")
    return [LastRun(*one) for one in states.values_list("job", "started_at", "ended_at", "outcome", "last_ok_at")]


def prune_runs(kept: int) -> int:
    """Delete all but the newest `kept` runs of each job and outcome; how many."""
    return execute(
        """
        DELETE FROM job_run r USING (
            SELECT id, row_number() OVER (PARTITION BY job, outcome ORDER BY id DESC) AS place FROM job_run
        ) AS numbered
        WHERE r.id = numbered.id AND numbered.place > %s
        """,
        [kept],
    )


def _lease(job: str) -> str:
    return f"job:{job}"
