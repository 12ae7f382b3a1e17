"""Bundles of the jobs of `bulk_steps`: built as files by an index of the test's own, and announced in the database."""

from pathlib import Path

import numpy as np

from embedding_project.contracts.metadata import stored_metadata
from embedding_project.contracts.vector_storage import VectorStorage
from embedding_project.contracts.vectors import from_bytes
from embeddings_app.models import BulkBundle, BulkJob, BulkState
from embeddings_app.records.topology import read_topology
from tests.integration.indexing_steps import rows
from tests.unit.index_nodes.bundles import Contents, write_bundle

HIDDEN_ROWS = """
SELECT d.id, d.metadata, v.vector FROM document d JOIN embedding_vector v ON v.document_id = d.id
JOIN bulk_block b ON d.id BETWEEN b.first_key AND b.last_key
WHERE b.job_id = %s AND v.model_version_id = b.model_version_id AND d.revision = 1 AND NOT d.deleted
  AND d.shard_hash %% %s = %s
ORDER BY d.id
"""


def build_bundles(job: BulkJob, parent: Path, parts: int = 1) -> list[BulkBundle]:
    """One of each shard or several, announced to the replicas."""
    topology = read_topology()
    for shard in range(topology.shards):
        found = rows(HIDDEN_ROWS, job.pk, topology.shards, shard)
        size = -(-len(found) // parts)
        for part in range(parts):
            _build(job, parent / f"s{shard}-p{part}", shard, part, found[part * size : (part + 1) * size])
    BulkJob.objects.filter(pk=job.pk).update(state=BulkState.PREPARING)
    return list(BulkBundle.objects.filter(job=job).order_by("shard", "part"))


def _build(job: BulkJob, parent: Path, shard: int, part: int, found: list[tuple[int, str, bytes]]) -> None:
    version, topology = job.model_version, read_topology()
    contents = Contents(
        keys=[key for key, _, _ in found],
        vectors=np.concatenate([from_bytes(bytes(vector), version.dimension) for _, _, vector in found]),
        metadata=[stored_metadata(metadata.encode()) for _, metadata, _ in found],
        namespace_key=job.space.pk,
        epoch=topology.epoch,
        layout=topology.layout,
        version_key=version.pk,
        shard=shard,
        storage=VectorStorage(version.storage),
        job=job.pk,
    )
    bundle = write_bundle(parent, contents)
    BulkBundle.objects.create(
        job=job,
        layout_id=topology.layout,
        shard=shard,
        part=part,
        path=str(bundle.folder),
        sha256=bundle.sha256,
        rows=len(found),
        size=0,
        digest=0,
        first_key=bundle.first_key,
        last_key=bundle.last_key,
    )
