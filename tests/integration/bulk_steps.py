"""What the tests of bulk jobs share: a job with a closed block, and rows in it as a bucket writes them."""

from collections.abc import Sequence

import numpy as np

from embedding_project.contracts.keys import content_hash, shard_hash
from embedding_project.contracts.vectors import to_bytes, unit_length
from embeddings_app import registry
from embeddings_app.models import BulkBlock, BulkJob
from embeddings_app.records import bulk_blocks, namespaces
from embeddings_app.records.topology import read_topology
from embeddings_app.records.transactions import in_transaction
from tests.integration.indexing_steps import NAMESPACE, rows


def made_job(namespace: str = NAMESPACE, model_id: str | None = None) -> BulkJob:
    """A job that has just been made; nobody works on it."""
    spec = registry.active_spec(model_id)
    space = namespaces.claim_namespace(namespace, spec.model_id)
    epoch = read_topology().epoch
    return BulkJob.objects.create(namespace=space, model_version_id=spec.version_key, epoch=epoch, actor="tests")


def loaded(job: BulkJob, doc_ids: Sequence[str]) -> dict[str, int]:
    """Documents whose texts are their ids, in the closed block of the job; gives their keys."""
    version = job.model_version
    block = in_transaction(lambda: bulk_blocks.reserve(job.pk, version.pk, len(doc_ids)))
    keys = {doc_id: block.first_key + place for place, doc_id in enumerate(sorted(doc_ids))}
    for doc_id, key in keys.items():
        rows(
            """
            INSERT INTO document (id, namespace_id, doc_id, text, metadata, content_hash, revision, text_revision,
                                  deleted, shard_hash, created_at, updated_at)
            VALUES (%s, %s, %s, %s, '{}', %s, 1, 1, false, %s, now(), now()) RETURNING 1
            """,
            *(key, job.namespace_id, doc_id, doc_id, content_hash(doc_id), shard_hash(job.namespace_name, doc_id)),
        )
        vector = unit_length(np.random.default_rng(key).standard_normal(version.dimension).astype(np.float32))
        rows("INSERT INTO embedding_vector VALUES (%s, %s, 1, %s) RETURNING 1", version.pk, key, to_bytes(vector))
        rows(
            """
            INSERT INTO embedding_record (document_id, model_version_id, text_revision, content_hash, state,
                                          next_attempt_at, attempts, batch_limit, last_error, created_at)
            VALUES (%s, %s, 1, %s, 'ready', now(), 0, 64, '', now()) RETURNING 1
            """,
            *(key, version.pk, content_hash(doc_id)),
        )
    return keys


def open_block(job: BulkJob) -> None:
    block = BulkBlock.objects.get(pk=job.pk)
    BulkBlock.objects.filter(pk=job.pk).update(opened_to=block.last_key)


def seen_by_nodes(version_key: int) -> set[tuple[int, int]]:
    """Key and revision of the documents that a node which starts now loads."""
    return set(rows("SELECT document_key, revision FROM index_row WHERE model_version_id = %s", version_key))


def told_by_the_log(document_key: int) -> tuple[int, bool, bool]:
    """Revision, whether deleted and whether with a vector: what the newest entry of a document tells a node."""
    found = rows(
        """
        SELECT revision, deleted, vector IS NOT NULL FROM index_feed WHERE document_key = %s ORDER BY seq DESC LIMIT 1
        """,
        document_key,
    )
    return found[0] if found else (0, False, False)


def touched(job: BulkJob) -> list[int]:
    return bulk_blocks.touched(job.pk)
