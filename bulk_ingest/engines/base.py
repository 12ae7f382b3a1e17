"""What a leader asks of those who do the tasks of its job."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from bulk_ingest.tasks import BucketTask, SpreadTask

GoOn = Callable[[], bool]


class EngineFailed(Exception):
    """The job cannot go on with these tasks, or the engine with any; the message says why."""


class Engine(Protocol):
    """Does tasks elsewhere. Each is a function of its job and its number that may be done twice without harm, so an
    engine does again what died. What tasks have done is in the rows of the job; only the leader moves the job on.

    Both calls give a value for each task that has ended, begin no more tasks once `go_on` says no, and raise one of
    `bulk_ingest.job.FAILURES` when a task says that the job cannot go on.
    """

    def spread(self, tasks: Sequence[SpreadTask], go_on: GoOn) -> Iterator[bool]:
        """Check the rows of files, and count them by bucket."""
        ...

    def fill(self, files: Sequence[SpreadTask], tasks: Sequence[BucketTask], go_on: GoOn) -> Iterator[bool]:
        """Load buckets; `files` are all of the job, for an engine that reads them again. All are spread."""
        ...


EngineRun = AbstractContextManager[Engine]
"""What an engine needs lives as long as the block."""
