"""What a job would read: the files, how many rows they have, and the ids at which buckets begin. Writes nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bulk_ingest.buckets import SPREAD_ROWS, splitters_of
from bulk_ingest.sources.files import InputFile, list_files, parts_of, sample
from bulk_ingest.sources.raw import Columns, SourceError

BUCKET_ROWS = 50_000
"""At most: some seconds of work, which is what the death of a process costs."""
BUCKET_BYTES = 128 << 20
"""Of the rows of a bucket, about; in memory they take three times as much."""
SAMPLED_IDS = 1_000
"""Of each file."""
_DOCUMENT_BYTES = 900
"""On the disk of Postgres, with its record and all indexes, and a text of usual length."""
_WAL_SHARE = 1.1
_ROWS_PER_SECOND = 15_000
"""That one process brings from files into Postgres."""


@dataclass(frozen=True, slots=True)
class Plan:
    files: Sequence[InputFile]
    """Large ones in parts."""
    rows: int
    splitters: Sequence[str]

    @property
    def buckets(self) -> int:
        return len(self.splitters) + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a job will take, as far as its rows tell."""

    disk_bytes: int
    """In Postgres, its log included."""
    work_bytes: int
    """For files of the job, while it runs."""
    seconds: float
    """Until all rows are in Postgres."""


def make_plan(patterns: Iterable[str], format_: str, columns: Columns, bucket_rows: int | None = None) -> Plan:
    """Raises SourceError."""
    files = list_files(patterns, format_)
    rows, size = 0, 0
    ids: list[str] = []
    parts: list[InputFile] = []
    for file in files:
        parts += parts_of(file, SPREAD_ROWS)
        found = sample(file, columns, SAMPLED_IDS)
        rows += found.rows
        size += found.bytes
        ids += _thinned(found.ids, found.rows)
    if not rows:
        raise SourceError("the files have no rows")
    usual = min(BUCKET_ROWS, max(BUCKET_BYTES * rows // max(size, 1), 1))
    return Plan(parts, rows, splitters_of(ids, -(-rows // (bucket_rows or usual))))


def _thinned(ids: Sequence[str], rows: int) -> Sequence[str]:
    """A small file must not count as much as a large one."""
    wanted = max(1, round(rows / BUCKET_ROWS * SAMPLED_IDS))
    return ids[:: max(1, len(ids) // wanted)]


def expect(rows: int, dimension: int, workers: int) -> Expected:
    """By figures of this service on two cores."""
    row = _DOCUMENT_BYTES + 4 * dimension + 100
    return Expected(
        disk_bytes=round(rows * row * (1 + _WAL_SHARE)),
        work_bytes=rows * row,
        seconds=rows / (_ROWS_PER_SECOND * workers),
    )
