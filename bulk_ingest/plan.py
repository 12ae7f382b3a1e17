"""What a job would read: the files, how many rows they have, and the ids at which buckets begin. Writes nothing."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from bulk_ingest.buckets import SPREAD_ROWS, splitters_of
from bulk_ingest.sources.files import list_files, parts_of, read, sample
from bulk_ingest.sources.raw import Columns, InputFile, SourceError
from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.text import checked_text

BUCKET_ROWS = 50_000
"""At most: some seconds of work, which is what the death of a process costs."""
BUCKET_BYTES = 128 << 20
"""Of the rows of a bucket, about; in memory they take three times as much."""
BUCKET_TEXTS = 2_000
"""At most, where texts are embedded: about 30 s of work on a core."""
SAMPLED_IDS = 1_000
"""Of each file, for each so many rows that buckets of vectors have."""
SAMPLED_TEXTS = 64
_SAMPLED_FILES = 4
_DOCUMENT_BYTES = 900
"""On the disk of Postgres, with its record and all indexes, and a text of usual length."""
_WAL_SHARE = 1.1
_ROWS_PER_SECOND = 15_000
"""That one process brings from files into Postgres."""
START_SECONDS = 3.0
"""Until the processes of a job work: a load of 40,000 rows took 4.4 s on two cores, and its rows 1.3 s of them."""
MODEL_SECONDS = 4.0
"""Until each has torch and a small model too."""


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


def make_plan(
    patterns: Iterable[str],
    format_: str,
    columns: Columns,
    bucket_rows: int | None = None,
    may_read: Callable[[str], bool] = lambda _: True,
) -> Plan:
    """`may_read`: of the path of a file, asked before it is opened. Raises SourceError."""
    files = list_files(patterns, format_)
    if outside := sum(not may_read(file.path) for file in files):
        raise SourceError(f"{outside} of the files lead out of BULK_SOURCES")
    rows, size = 0, 0
    ids: list[str] = []
    parts: list[InputFile] = []
    most = BUCKET_ROWS if columns.vector is not None else BUCKET_TEXTS
    wanted = SAMPLED_IDS * BUCKET_ROWS // most
    for file in files:
        parts += parts_of(file, SPREAD_ROWS)
        found = sample(file, columns, wanted)
        rows += found.rows
        size += found.bytes
        ids += _thinned(found.ids, found.rows, most)
    if not rows:
        raise SourceError("the files have no rows")
    usual = min(most, max(BUCKET_BYTES * rows // max(size, 1), 1))
    return Plan(parts, rows, splitters_of(ids, -(-rows // (bucket_rows or usual))))


def _thinned(ids: Sequence[str], rows: int, bucket_rows: int) -> Sequence[str]:
    """A small file must not count as much as a large one."""
    wanted = max(1, round(rows / bucket_rows * SAMPLED_IDS))
    return ids[:: max(1, len(ids) // wanted)]


def sample_texts(plan: Plan, columns: Columns) -> list[str]:
    """Some texts that can be embedded, from the beginnings of a few files. Raises SourceError."""
    step = max(1, len(plan.files) // _SAMPLED_FILES)
    batches = [next(iter(read(file, columns)), None) for file in plan.files[::step]]
    texts = [batch.texts for batch in batches if batch is not None]
    spread = [part[:: max(1, len(part) * len(texts) // SAMPLED_TEXTS)] for part in texts]
    return list(islice(_good(chain.from_iterable(spread)), SAMPLED_TEXTS))


def _good(texts: Iterable[object]) -> Iterator[str]:
    for text in texts:
        try:
            yield checked_text(text, "text")
        except InvalidRequest:
            continue


def expect(rows: int, dimension: int, workers: int, texts_per_second: float | None = None) -> Expected:
    """By figures of this service on two cores, and the speed at which texts are embedded by all processes; None where
    the rows have vectors."""
    row, vector = _DOCUMENT_BYTES + 100, 4 * dimension
    rate = _ROWS_PER_SECOND * workers
    embedding = 0.0 if texts_per_second is None else MODEL_SECONDS + rows / texts_per_second
    return Expected(
        disk_bytes=round(rows * (row + vector) * (1 + _WAL_SHARE)),
        work_bytes=rows * (row + (vector if texts_per_second is None else 0)),
        seconds=START_SECONDS + rows / rate + embedding,
    )
