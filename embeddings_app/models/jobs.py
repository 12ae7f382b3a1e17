"""Periodic jobs: who runs one now, what its last run said, and the runs before."""

from typing import ClassVar

from django.db import models


class Lease(models.Model):
    """The right to do something alone, over all processes. It ends by itself, so a dead holder holds nothing up."""

    name = models.CharField(max_length=64, primary_key=True)
    holder = models.CharField(max_length=128, blank=True, help_text="Empty when nobody holds it.")
    lease_until = models.DateTimeField()
    taken_at = models.DateTimeField()

    class Meta:
        db_table = "lease"

    def __str__(self) -> str:
        return f"{self.name}: {self.holder or 'free'}"


class RunOutcome(models.TextChoices):
    OK = "ok"
    FAILED = "failed"
    ABANDONED = "abandoned", "abandoned (its process died or hung)"


class JobState(models.Model):
    """The last run of one job, and from where the next one continues."""

    job = models.CharField(max_length=64, primary_key=True)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    outcome = models.CharField(max_length=12, choices=RunOutcome.choices)
    error = models.CharField(max_length=64, blank=True, help_text="An error code, or the type of an unforeseen error.")
    result = models.JSONField(default=dict, blank=True)
    progress = models.JSONField(default=dict, blank=True, help_text="Where the next run continues.")
    last_ok_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "job_state"

    def __str__(self) -> str:
        return f"{self.job}: {self.outcome}"


class JobRun(models.Model):
    """One run of a job that has ended. Frequent jobs keep only what went wrong."""

    job = models.CharField(max_length=64)
    holder = models.CharField(max_length=128)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    outcome = models.CharField(max_length=12, choices=RunOutcome.choices)
    error = models.CharField(max_length=64, blank=True)
    result = models.JSONField(default=dict, blank=True)

    class Meta:
        db_table = "job_run"
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [models.Index(fields=["job", "outcome", "-id"], name="job_run_newest")]

    def __str__(self) -> str:
        return f"{self.job} {self.started_at:%Y-%m-%d %H:%M:%S}: {self.outcome}"
