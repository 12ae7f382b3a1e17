"""Vectors, states and indexes for the tests of the search side."""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedding_project.contracts.vectors import Vector, unit_length
from index_nodes.builder import extend
from index_nodes.collection import DocumentState
from index_nodes.hnsw_segment import HnswSegment
from index_nodes.scan import SearchSpec
from index_nodes.version_index import VersionIndex

NAMESPACE = 1


def clustered_vectors(count: int, dimension: int, seed: int = 0, clusters: int = 64) -> Vector:
    """Unit vectors in clusters, as texts have them; uniform ones would make any graph look bad."""
    return vectors_and_clusters(count, dimension, seed, clusters)[0]


def vectors_and_clusters(
    count: int, dimension: int, seed: int = 0, clusters: int = 64
) -> tuple[Vector, NDArray[np.int64]]:
    """The same, and the cluster of each vector."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((clusters, dimension))
    spread = random.standard_normal((count, dimension)) * random.uniform(0.3, 0.9, (count, 1))
    cluster = random.integers(0, clusters, count)
    return unit_length((centres[cluster] + spread).astype(np.float32)), cluster


def state(document_key: int, vector: Vector | None, **changes: Any) -> DocumentState:
    found = DocumentState(
        document_key=document_key,
        namespace_key=NAMESPACE,
        revision=1,
        text_revision=0 if vector is None else 1,
        metadata={},
        vector=vector,
    )
    return replace(found, **changes)


def spec(
    top_k: int = 10,
    ef_search: int = 100,
    exact: bool = False,
    filter: str = "",  # noqa: A002
    scan_factor: float = 1.0,
) -> SearchSpec:
    return SearchSpec(top_k=top_k, ef_search=ef_search, exact=exact, filter=filter, scan_factor=scan_factor)


def fill(index: VersionIndex, vectors: Vector, metadata: Sequence[dict[str, Any]] | None = None) -> None:
    index.apply(
        [state(key, vector, metadata=metadata[key] if metadata else {}) for key, vector in enumerate(vectors)], now=0.0
    )


def build_all(index: VersionIndex, now: float = 1e9) -> None:
    """Do in this process what the build queue has done in another one, until there is nothing left."""
    while found := index.next_build(now):
        namespace_key, job = found
        rows, built = job.rows(), None
        if rows.count:
            output = index.directory / f"{uuid.uuid4().hex}.faiss"
            extend(job.base.path if job.base else None, np.concatenate([*job.added_vectors()]), output, index.storage)
            built = HnswSegment.read(rows, output)
        index.publish(namespace_key, job, built)
