"""What a periodic job is: the words of every file in this folder."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from embedding_project.contracts.queues import job_task


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a job, as its work sees it."""

    deadline: float
    """Monotonic seconds. What is left then waits for the next run."""
    progress: Mapping[str, Any] = field(default_factory=dict)
    """Where the last run stopped, in the job's own words; empty at first."""

    def seconds_left(self) -> float:
        return self.deadline - time.monotonic()


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a run did."""

    result: Mapping[str, Any] = field(default_factory=dict)
    """A few numbers and names for the operator; never a text of a user."""
    progress: Mapping[str, Any] | None = None
    """Where the next run continues; None leaves it where it was."""
    problem: str = ""
    """What failed, by its code or class, where the run went on with the rest: it counts as failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One row of the table of jobs. Every job may run twice, and half: each run finds by itself what is to be done."""

    name: str
    purpose: str
    """For people."""
    work: Callable[[Run], Done]
    every_seconds: int
    """Until an operator says otherwise."""
    at_least_seconds: int
    """The shortest interval that an operator may choose."""
    at_most_seconds: int
    """The longest one."""
    run_seconds: float
    """How long one run may take."""
    essential: bool = False
    """Whether the service needs it, so that nobody can switch it off."""
    keeps_every_run: bool = True
    """Whether the history has the runs that ended well."""

    @property
    def task(self) -> str:
        return job_task(self.name)
