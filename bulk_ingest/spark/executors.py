"""What Spark's executors are asked to do. Each function may run twice for the same job and number without harm.

Spark loads this module before anything has set Django up, so what needs Django is imported on the first call.
"""

import importlib
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import django
import pyarrow as pa
from pyspark import TaskContext

from bulk_ingest.tasks import BucketTask, SpreadTask
from embedding_project.config import put_into_environment

_NICE = 5


def count_file(loaders: int, task: SpreadTask) -> str:
    """Check the rows of a file and count them by bucket; why the job cannot go on, or an empty text."""
    return str(_work().count_file(task, loaders))


def rows_of_files(
    files: Sequence[SpreadTask], places: Mapping[int, int], numbers: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """The rows of files that were counted, each with the place of its bucket, of buckets that have one."""
    for batch in numbers:
        for number in batch.column(0).to_pylist():
            yield from _work().rows_of_file(files[number], places)


def fill_bucket(
    tasks: Sequence[BucketTask], expected: Sequence[int], loaders: int, batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Load the rows of one bucket, which are this partition; why the job cannot go on, or an empty text."""
    place = TaskContext.get().partitionId()
    said = _work().fill_bucket(tasks[place], expected[place], loaders, batches)
    yield pa.RecordBatch.from_arrays([pa.array([said], pa.string())], ["said"])


@cache
def _work() -> Any:
    os.nice(_NICE)
    pa.set_cpu_count(1)
    put_into_environment(DJANGO_SETTINGS_MODULE="embedding_project.settings")
    django.setup()
    return importlib.import_module("bulk_ingest.spark.work")
