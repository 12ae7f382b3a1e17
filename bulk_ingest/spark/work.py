"""The tasks of bulk jobs as Spark's executors do them: rows come from files and shuffles, not from a folder of a job.

Only so many of a job's tasks have a connection to Postgres at a time, however many executors there are.
"""

from collections.abc import Iterator, Mapping
from functools import partial

import pyarrow as pa

from bulk_ingest.buckets import bucket_numbers, counted, last_of_each, record_batch, schema
from bulk_ingest.loading import BucketRefused, load_rows
from bulk_ingest.sources.raw import SourceError
from bulk_ingest.spreading import TooManyRejects, rows_again, spread
from bulk_ingest.tasks import BucketTask, Connected, SpreadTask
from embedding_project.contracts.errors import ServiceError
from embeddings_app.records import bulk_loading
from embeddings_app.records.connection_slots import connection_slot

_SLOT_PATIENCE_SECONDS = 600.0
_WANTED_ASKED_SECONDS = 5.0
_REFUSALS = (SourceError, TooManyRejects, BucketRefused, ServiceError, OSError)
"""Another try would end the same way. What Postgres interrupts is tried again by Spark."""


def count_file(task: SpreadTask, loaders: int) -> str:
    try:
        spread(task, lambda batches: counted(batches, task.splitters), _connected(task.job_key, loaders))
    except _REFUSALS as error:
        return _said(error)
    return ""


def rows_of_file(task: SpreadTask, places: Mapping[int, int]) -> Iterator[pa.RecordBatch]:
    """Raises SourceError."""
    kind = schema(task.dimension)
    for rows in rows_again(task):
        numbers = bucket_numbers(rows, task.splitters)
        wanted = [(places[number], row) for number, row in zip(numbers, rows, strict=True) if number in places]
        batch = record_batch(task.number, [row for _, row in wanted], kind)
        place = pa.array([place for place, _ in wanted], pa.int32())
        yield pa.RecordBatch.from_arrays([place, *map(_plain, batch.columns)], ["place", *kind.names])


def fill_bucket(task: BucketTask, expected: int, loaders: int, batches: Iterator[pa.RecordBatch]) -> str:
    """`expected`: how many rows the files had for the bucket when they were counted: keys are reserved for so many."""
    kind = schema(0 if task.model else task.dimension)
    pieces = [batch.select(kind.names) for batch in batches]
    table = pa.Table.from_batches(pieces).cast(kind) if pieces else kind.empty_table()
    if table.num_rows != expected:
        return f"bucket {task.number}: the files have {table.num_rows} rows for it, and had {expected} before"
    connected = _connected(task.job_key, loaders)
    try:
        with connected():
            if not bulk_loading.still_wanted(task.job_key):
                return ""
        load_rows(task, last_of_each(table), connected, _WANTED_ASKED_SECONDS)
    except _REFUSALS as error:
        return _said(error)
    return ""


def _plain(column: pa.Array) -> pa.Array:
    """Spark knows no binary of fixed width."""
    return column.cast(pa.binary()) if pa.types.is_fixed_size_binary(column.type) else column


def _connected(job_key: int, loaders: int) -> Connected:
    return partial(connection_slot, f"bulk:{job_key}", loaders, _SLOT_PATIENCE_SECONDS)


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__
