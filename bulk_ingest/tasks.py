"""What the leader of a job hands out. Engines carry it to other processes, which may not have set Django up yet."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bulk_ingest.buckets import SpreadFile
from bulk_ingest.sources.raw import Columns, InputFile
from embedding_project.contracts.model_spec import ModelSpec

OnExisting = Literal["update", "skip", "fail"]
Connected = Callable[[], AbstractContextManager[None]]
"""Surrounds every use of the database by a task: an engine may let few of them have a connection at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpreadTask:
    """A file to spread. A second task of the same file replaces what the first wrote."""

    job_key: int
    number: int
    file: InputFile
    folder: Path
    namespace: str
    dimension: int
    """Of the vectors that the file has; 0 where its texts are embedded."""
    columns: Columns
    splitters: tuple[str, ...]
    max_rejects: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketTask:
    """A bucket to load. A second task of the same bucket changes nothing."""

    job_key: int
    number: int
    folder: Path
    files: tuple[SpreadFile, ...]
    """In the order of the input."""
    dimension: int
    model: ModelSpec | None
    """Embeds the texts of the rows; None for rows that have vectors."""
    first_key: int
    """Of the bucket: its n-th row has the n-th key from here, whichever attempt loads it."""
    on_existing: OnExisting
