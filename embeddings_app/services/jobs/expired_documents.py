"""Expired documents: no answer shows them any more, and here they are deleted, as a client would delete them."""

import logging
import random

from django.db import DatabaseError

from embedding_project.contracts.errors import ServiceError
from embeddings_app.database.fault_names import fault_name
from embeddings_app.records.documents import expired_documents
from embeddings_app.services.documents.deleting import delete_expired
from embeddings_app.services.jobs.job import Done, Job, Run

_CHUNK_DOCUMENTS = 1_000
logger = logging.getLogger(__name__)


def _delete_expired(run: Run) -> Done:
    deleted, problem, failed = 0, "", set[int]()
    while run.seconds_left() > 0 and (found := expired_documents(_CHUNK_DOCUMENTS, failed)):
        # In another order each time: one where the database fails may take all of the time.
        for namespace_key, doc_ids in random.sample(list(found.items()), len(found)):
            if run.seconds_left() <= 0:
                break
            try:
                deleted += delete_expired(namespace_key, doc_ids)
            except (DatabaseError, ServiceError) as error:
                # Nor would the next look find others, if its documents were among them.
                failed.add(namespace_key)
                problem = fault_name(error)
                logger.warning("expired documents of namespace %d: %s", namespace_key, problem)
    return Done(result={"documents_deleted": deleted}, problem=problem)


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
