"""Stale records: documents that a version of their model has no vector of, or only one of an earlier text, become
pending again.

Nothing makes such documents while everything works. This heals what an error in an earlier version of the code, or a
hand in the database, has left. It walks along the keys of the documents, some seconds in each run.
"""

from collections import defaultdict

from embedding_project.broker.dispatch import send_index_hint
from embeddings_app import registry
from embeddings_app.records import model_locks, stale_records
from embeddings_app.records.stale_records import Scanned
from embeddings_app.records.transactions import in_transaction
from embeddings_app.services.indexing.hints_sent import hint_of_anything
from embeddings_app.services.jobs.job import Done, Job, Run

CHUNK_DOCUMENTS = 5_000
"""Looked at in one statement: some hundredths of a second."""


def scan_for_stale_records(run: Run, chunk_documents: int = CHUNK_DOCUMENTS) -> Done:
    """Go on with the walk until the time is up, or all documents have been looked at."""
    after, checked, pending = int(run.progress.get("after", 0)), 0, 0
    finished = False
    while not finished and run.seconds_left() > 0:
        scanned = stale_records.scan(after, chunk_documents)
        pending += _heal(scanned)
        checked += scanned.documents
        after, finished = scanned.last_key, scanned.documents < chunk_documents
    if pending:
        send_index_hint(hint_of_anything())
    result = {"checked": checked, "made_pending": pending, "saw_all": finished}
    return Done(result=result, progress={"after": 0 if finished else after})


def _heal(scanned: Scanned) -> int:
    by_version: dict[int, list[int]] = defaultdict(list)
    for document_key, version_key in scanned.stale:
        by_version[version_key].append(document_key)
    return sum(_make_pending(version, documents) for version, documents in by_version.items())


def _make_pending(version_key: int, document_keys: list[int]) -> int:
    spec = registry.known_spec(version_key)
    if spec is None:
        return 0

    def work() -> int:
        model_locks.lock_shared(spec.model_id)
        return stale_records.make_pending(version_key, document_keys)

    return in_transaction(work)


STALE_RECORDS = Job(
    name="stale-records",
    purpose="Makes documents pending again whose vector is missing, or is that of an earlier text.",
    work=scan_for_stale_records,
    every_seconds=300,
    at_least_seconds=10,
    at_most_seconds=24 * 3_600,
    run_seconds=5.0,
)
