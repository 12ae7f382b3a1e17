"""The engine of one machine: processes that share its disk."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from bulk_ingest.engines.base import Engine, GoOn
from bulk_ingest.loading import load_bucket
from bulk_ingest.pool import Workers
from bulk_ingest.spreading import spread_file
from bulk_ingest.tasks import BucketTask, SpreadTask


class LocalEngine:
    """Spreads to files in the folder of the job, and loads buckets from them."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers

    def spread(self, tasks: Sequence[SpreadTask], go_on: GoOn) -> Iterator[bool]:
        return self._workers.work_on(tasks, spread_file, go_on)

    def fill(self, _files: Sequence[SpreadTask], tasks: Sequence[BucketTask], go_on: GoOn) -> Iterator[bool]:
        return self._workers.work_on(tasks, load_bucket, go_on)


@contextmanager
def local_engine(processes: int) -> Iterator[Engine]:
    with Workers(processes) as workers:
        yield LocalEngine(workers)
