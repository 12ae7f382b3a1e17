"""Jobs of the suite: led in this process, by either engine, and everything that they leave in Postgres."""

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import connection
from pyspark.sql import SparkSession

from bulk_ingest.engines.base import EngineRun
from bulk_ingest.engines.local import local_engine
from bulk_ingest.job import Leader
from bulk_ingest.rejects import read_rejects
from bulk_ingest.spark.engine import SparkEngine
from embeddings_app.models import BulkJob
from embeddings_app.records.topology import read_topology
from tests.integration.conftest import empty_tables
from tests.integration.indexing_steps import rows
from tests.integration.shard_digests import ShardDigest, shard_digest

LOADERS = 2
_DOCUMENTS = """
SELECT d.id, d.doc_id, d.text, d.metadata::text, d.content_hash, d.revision, d.text_revision, d.deleted, d.shard_hash,
       r.model_version_id, r.text_revision, r.content_hash, r.state, r.attempts, r.batch_limit, r.last_error,
       v.text_revision, v.vector
FROM document d LEFT JOIN embedding_record r ON r.document_id = d.id
LEFT JOIN embedding_vector v ON v.document_id = d.id AND v.model_version_id = r.model_version_id ORDER BY d.doc_id
"""
_LOG = "SELECT model_version_id, shard, document_key, revision FROM index_feed ORDER BY 1, 2, 3"
_KEYS_AGAIN = """
SELECT setval('bulk_key', 1099511627775), setval(pg_get_serial_sequence('document', 'id'), 1, false)
"""


@dataclass(frozen=True, slots=True)
class Left:
    """What a job left: all but times."""

    documents: list[Any]
    log: list[Any]
    """Without the order, in which buckets end by chance."""
    digests: list[ShardDigest]
    counts: dict[str, int]
    rejects: list[str]


def empty_again() -> None:
    """As at the beginning: the next documents get the same keys."""
    empty_tables()
    with connection.cursor() as cursor:
        cursor.execute(_KEYS_AGAIN)


def by_processes() -> EngineRun:
    return local_engine(2)


def by_spark(session: SparkSession) -> EngineRun:
    return nullcontext(SparkEngine(session, LOADERS))


def lead(job: BulkJob, work: Path, engine: EngineRun) -> BulkJob:
    return Leader("the suite", work, engine).lead(job.pk)


def left_by(job: BulkJob, work: Path) -> Left:
    topology = read_topology()
    return Left(
        documents=[tuple(map(_plain, row)) for row in rows(_DOCUMENTS)],
        log=rows(_LOG),
        digests=[shard_digest(topology.layout, job.model_version_id, shard) for shard in range(topology.shards)],
        counts=job.counts,
        rejects=sorted(read_rejects(work / str(job.pk))),
    )


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value
