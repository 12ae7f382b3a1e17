"""What a version holds, what it costs, and which nodes have it ready: for the people who decide about it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from embedding_project.contracts.vector_storage import VectorStorage
from embeddings_app.models import ModelRegistry
from embeddings_app.records.operations import (
    COUNT_CAP,
    ReplicaProgress,
    count_quarantined,
    replica_progress,
    version_work,
)
from embeddings_app.records.topology import read_topology
from embeddings_app.records.version_counts import Count, count_documents, count_vectors, partition_bytes
from embeddings_app.services.operating.service_state import ReplicaCount, count_replicas
from embeddings_app.services.reembedding.estimating import node_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    documents: Count
    """Of the model."""
    vectors: Count
    pending: int
    """Documents that wait for a vector of this version, at most about COUNT_CAP."""
    quarantined: int
    """Documents that have none and get none by themselves, at most COUNT_CAP + 1."""
    copies: Sequence[ReplicaProgress]
    """What nodes say of their copies of its shards."""
    ready: ReplicaCount
    disk_bytes: int
    """In Postgres."""
    memory_bytes: int
    """About, on all nodes together."""


def overview(version: ModelRegistry) -> Overview:
    topology = read_topology()
    copies = [copy for copy in replica_progress() if (copy.model_id, copy.version) == _name(version)]
    ready = Counter(copy.shard for copy in copies if copy.ready)
    work = [work for work in version_work(COUNT_CAP) if (work.model_id, work.version) == _name(version)]
    return Overview(
        documents=count_documents([version.model_id])[version.model_id],
        vectors=count_vectors([version.pk])[version.pk],
        pending=sum(item.pending for item in work),
        quarantined=count_quarantined([version.pk])[version.pk],
        copies=sorted(copies, key=lambda copy: (copy.shard, copy.replica)),
        ready=count_replicas(ready.values(), topology.shards, topology.replicas),
        disk_bytes=partition_bytes(version.pk),
        memory_bytes=node_bytes(
            sum(copy.documents for copy in copies), version.dimension, VectorStorage(version.storage)
        ),
    )


def _name(version: ModelRegistry) -> tuple[str, int]:
    return version.model_id, version.version
