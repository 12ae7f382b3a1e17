"""When beat sends the message of each job: seeded from the table of jobs, and from then on the operator's."""

from django.db import transaction

from embedding_project.broker.dispatch import send_job
from embeddings_app.records import schedule
from embeddings_app.records.schedule import Entry
from embeddings_app.services import audit
from embeddings_app.services.jobs.job import Job
from embeddings_app.services.jobs.table import JOBS

RUN_NOW_SECONDS = 60.0
"""An indexer that is busy for longer does not run the job that was asked for."""


class ScheduleRefused(Exception):
    """The schedule asked for would stop the service, or wear it out; `field` is the one to change."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


def seed_schedule() -> None:
    """Put jobs that are new into the schedule and take out what is no job. What an operator chose stays. Idempotent."""
    entries = [
        Entry(name=job.name, task=job.task, description=job.purpose, every_seconds=job.every_seconds)
        for job in JOBS.values()
    ]
    with transaction.atomic():
        schedule.keep_entries(entries)


def check_schedule(job: Job, every_seconds: int, *, enabled: bool) -> None:
    """Raises ScheduleRefused."""
    if not enabled and job.essential:
        raise ScheduleRefused("enabled", f"The service needs the job {job.name}: it cannot be switched off.")
    if not job.at_least_seconds <= every_seconds <= job.at_most_seconds:
        raise ScheduleRefused("every_seconds", f"Choose {interval_bounds(job)}.")


def interval_bounds(job: Job) -> str:
    """For people: what an operator may choose."""
    return f"{job.at_least_seconds:,} to {job.at_most_seconds:,} seconds"


def change_schedule(job: Job, every_seconds: int, actor: str, *, enabled: bool) -> None:
    """Let beat send the job so often from now on, or not at all. Raises ScheduleRefused."""
    check_schedule(job, every_seconds, enabled=enabled)
    with transaction.atomic():
        schedule.set_entry(job.name, every_seconds, enabled=enabled)
        audit.record(actor, "job.scheduled", job.name, {"every_seconds": every_seconds, "enabled": enabled})


def run_now(job: Job, actor: str) -> None:
    """Ask an indexer to run the job at once, also one that is switched off. Raises Unavailable."""
    send_job(job.task, RUN_NOW_SECONDS)
    audit.record(actor, "job.run", job.name)
