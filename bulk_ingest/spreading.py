"""One input file of a job: its rows checked, spread to buckets, its rejects written down."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import nullcontext

from bulk_ingest import rejects
from bulk_ingest.buckets import Spreader, SpreadFile
from bulk_ingest.rows import Reject, Row, RowChecker
from bulk_ingest.sources.files import check_unchanged, read
from bulk_ingest.tasks import Connected, SpreadTask
from bulk_ingest.under_way import UnderWay
from embedding_project.contracts.limits import MAX_NAMESPACE_FIELDS
from embeddings_app.models import BulkFile, Namespace
from embeddings_app.records import namespaces
from embeddings_app.records.transactions import in_transaction
from embeddings_app.services.namespaces import unused_fields

Keep = Callable[[Iterable[Sequence[Row]]], list[SpreadFile]]


class TooManyRejects(Exception):
    """More rows are bad than the job allows; the message says in which file."""


def spread_file(task: SpreadTask) -> bool:
    """Write the rows of the file to files in the folder of the job; True. Raises SourceError, OSError,
    django.db.Error."""
    spread(task, Spreader(task.folder, task.number, task.splitters, task.dimension).spread)
    return True


def spread(task: SpreadTask, keep: Keep, connected: Connected = nullcontext) -> None:
    """Check the rows of the file, and let `keep` count them by bucket. Raises as `spread_file` does."""
    check_unchanged(task.file)
    with connected():
        space = Namespace.objects.get(name=task.namespace)

    def claim_fields(wanted: Sequence[AbstractSet[str]]) -> list[bool]:
        with connected():
            return _claim_fields(space, wanted)

    with UnderWay(task.folder, f"file-{task.number}") as under_way:
        checked = _Checked(task, RowChecker(task.namespace, task.dimension, claim_fields), under_way)
        files = keep(checked)
    source, name = task.file.path, rejects.of_file(task.number)
    rejected = rejects.write_rejects(task.folder, name, ((source, reject) for reject in checked.rejects))
    check_unchanged(task.file)
    with connected():
        BulkFile.objects.filter(job=task.job_key, number=task.number).update(
            rows=checked.read, rejected=rejected, spread=[file.to_wire() for file in files]
        )


def rows_again(task: SpreadTask) -> Iterator[list[Row]]:
    """The good rows of a file that was spread before. Raises SourceError."""
    check_unchanged(task.file)
    refused = rejects.rows_of(task.folder, rejects.of_file(task.number))
    # Which fields there was room for was decided the first time.
    checker = RowChecker(task.namespace, task.dimension, lambda wanted: [True] * len(wanted))
    for batch in read(task.file, task.columns):
        rows, _ = checker.check(batch)
        yield [row for row in rows if row.number not in refused]
    check_unchanged(task.file)


class _Checked:
    """The good rows of a file, batch by batch; the others are kept aside as they come."""

    def __init__(self, task: SpreadTask, checker: RowChecker, under_way: UnderWay) -> None:
        self._task = task
        self._checker = checker
        self._under_way = under_way
        self.read = 0
        self.rejects: list[Reject] = []

    def __iter__(self) -> Iterator[list[Row]]:
        for batch in read(self._task.file, self._task.columns):
            self.read += len(batch.doc_ids)
            self._under_way.add(len(batch.doc_ids))
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
