"""One input file of a job: its rows checked, spread to buckets, its rejects written down."""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bulk_ingest import rejects
from bulk_ingest.buckets import Spreader
from bulk_ingest.rows import Reject, Row, RowChecker
from bulk_ingest.sources.files import check_unchanged, read
from bulk_ingest.sources.raw import Columns, InputFile
from embedding_project.contracts.limits import MAX_NAMESPACE_FIELDS
from embeddings_app.models import BulkFile, Namespace
from embeddings_app.records import namespaces
from embeddings_app.records.transactions import in_transaction
from embeddings_app.services.namespaces import unused_fields


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


class TooManyRejects(Exception):
    """More rows are bad than the job allows; the message says in which file."""


def spread_file(task: SpreadTask) -> bool:
    """True. Raises SourceError, OSError, django.db.Error."""
    check_unchanged(task.file)
    space = Namespace.objects.get(name=task.namespace)
    checked = _Checked(task, RowChecker(task.namespace, task.dimension, partial(_claim_fields, space)))
    spreader = Spreader(task.folder, task.number, task.splitters, task.dimension)
    files = spreader.spread(checked)
    source, name = task.file.path, rejects.of_file(task.number)
    rejected = rejects.write_rejects(task.folder, name, ((source, reject) for reject in checked.rejects))
    check_unchanged(task.file)
    BulkFile.objects.filter(job=task.job_key, number=task.number).update(
        rows=checked.read, rejected=rejected, spread=[file.to_wire() for file in files]
    )
    return True


class _Checked:
    """The good rows of a file, batch by batch; the others are kept aside as they come."""

    def __init__(self, task: SpreadTask, checker: RowChecker) -> None:
        self._task = task
        self._checker = checker
        self.read = 0
        self.rejects: list[Reject] = []

    def __iter__(self) -> Iterator[list[Row]]:
        for batch in read(self._task.file, self._task.columns):
            self.read += len(batch.doc_ids)
            rows, refused = self._checker.check(batch)
            self.rejects += refused
            if len(self.rejects) > self._task.max_rejects:
                raise TooManyRejects(f"{self._task.file.path}: more than {self._task.max_rejects} rows are rejected")
            yield rows


def _claim_fields(space: Namespace, wanted: Sequence[AbstractSet[str]]) -> list[bool]:
    """In a small transaction of its own: a bucket that held the row of the namespace would stop all others."""
    return in_transaction(
        lambda: namespaces.claim_fields(
            space, wanted, MAX_NAMESPACE_FIELDS, lambda: unused_fields(space.pk) or frozenset()
        )
    )
