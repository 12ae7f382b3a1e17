"""The engine of a cluster: rows travel from the files to their buckets through Spark's shuffle.

The files and the folder of a job, which takes the rejects, have one path on all machines. Only the leader of the job,
in the driver, moves it on.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from bulk_ingest.engines.base import EngineFailed, GoOn
from bulk_ingest.spark.executors import count_file, fill_bucket, rows_of_files
from bulk_ingest.tasks import BucketTask, SpreadTask

_FILES_A_CORE = 2
"""That are counted between two looks at whether to go on."""
_ROW = (
    "place int, file int, row bigint, doc_id binary, text binary, metadata binary, content_hash binary, shard_hash int"
)
_PYTHON_ERROR = re.compile(r"^(?:[a-z_]+\.)*[A-Z]\w+: .+$", re.MULTILINE)


class SparkEngine:
    def __init__(self, session: SparkSession, loaders: int) -> None:
        self._session = session
        self._loaders = loaders

    def spread(self, tasks: Sequence[SpreadTask], go_on: GoOn) -> Iterator[bool]:
        """Counts: no rows are kept, since executors may share no disk that is fast enough for them."""
        context = self._session.sparkContext
        width = context.defaultParallelism * _FILES_A_CORE
        for start in range(0, len(tasks), width):
            if not go_on():
                return
            wave = tasks[start : start + width]
            with _failures():
                said = context.parallelize(wave, len(wave)).map(partial(count_file, self._loaders)).collect()
            yield from _ended(said)

    def fill(self, files: Sequence[SpreadTask], tasks: Sequence[BucketTask], go_on: GoOn) -> Iterator[bool]:
        """One partition for each bucket: by its number, never by ranges that Spark samples, which would be others the
        next time. A task looks by itself whether its bucket is still wanted."""
        if not tasks or not go_on():
            return
        places = {task.number: place for place, task in enumerate(tasks)}
        expected = [sum(file.rows.get(task.number, 0) for file in task.files) for task in tasks]
        bare = [replace(task, files=()) for task in tasks]
        vector = "" if tasks[0].model else ", vector binary"
        with _failures():
            rows = self._session.range(0, len(files), 1, len(files)).mapInArrow(
                partial(rows_of_files, files, places), _ROW + vector
            )
            buckets = rows.repartitionById(len(tasks), "place").sortWithinPartitions("doc_id", "file", "row")
            filled = buckets.mapInArrow(partial(fill_bucket, bare, expected, self._loaders), "said string").collect()
        yield from _ended([row.said for row in filled])


@contextmanager
def _failures() -> Iterator[None]:
    """Raises EngineFailed, with the last thing that Python said on an executor if that is why."""
    try:
        yield
    except (PySparkException, Py4JError) as error:
        said = _PYTHON_ERROR.findall(str(error))
        raise EngineFailed(f"Spark gave up: {said[-1] if said else str(error).strip().splitlines()[0]}") from error


def _ended(said: Sequence[str]) -> Iterator[bool]:
    """Raises EngineFailed when a task said that the job cannot go on."""
    for reason in filter(None, said):
        raise EngineFailed(reason)
    yield from [True] * len(said)
