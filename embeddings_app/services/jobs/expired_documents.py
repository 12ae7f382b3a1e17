"""Expired documents: no answer shows them any more, and here they are deleted, as a client would delete them."""

from embeddings_app.records.documents import expired_documents
from embeddings_app.services.documents.deleting import delete_expired
from embeddings_app.services.jobs.job import Done, Job, Run

_CHUNK_DOCUMENTS = 1_000


def _delete_expired(run: Run) -> Done:
    deleted = 0
    while run.seconds_left() > 0 and (found := expired_documents(_CHUNK_DOCUMENTS)):
        deleted += sum(delete_expired(namespace_key, doc_ids) for namespace_key, doc_ids in found.items())
    return Done(result={"documents_deleted": deleted})


EXPIRED_DOCUMENTS = Job(
    name="expired-documents",
    purpose="Deletes documents whose time is over.",
    work=_delete_expired,
    every_seconds=30,
    at_least_seconds=1,
    at_most_seconds=3_600,
    run_seconds=10.0,
    essential=True,
    keeps_every_run=False,
)
