"""Bundles as a bulk job builds them, made by an index of the test's own."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from embedding_project.contracts.vector_storage import VectorStorage
from embedding_project.contracts.vectors import Vector
from index_nodes.bundle_files import Bundle, Place
from index_nodes.graph_storage import GRAPH_KIND
from index_nodes.seal_rule import SealRule
from index_nodes.snapshot_contents import graph_name, write_contents
from index_nodes.snapshot_files import FORMAT, MANIFEST, FileFacts, Manifest, encode, link_or_copy, sha256_of
from index_nodes.version_index import VersionIndex
from tests.unit.index_nodes.builders import NAMESPACE, build_all, state
from tests.unit.index_nodes.snapshots import EPOCH, LOG

JOB = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """Documents of a bundle, in the order of their keys."""

    keys: Sequence[int]
    vectors: Vector
    metadata: Sequence[Mapping[str, Any]]
    namespace_key: int = NAMESPACE
    epoch: str = EPOCH
    layout: int = LOG.layout
    version_key: int = LOG.version_key
    shard: int = LOG.shard
    storage: VectorStorage = VectorStorage.FP32
    revision: int = 1
    job: int = JOB
    least_graph_rows: int = 1
    graph: Path | None = None
    """In place of its own one."""
    changes: dict[str, Any] = field(default_factory=dict)
    """Of the manifest."""


def write_bundle(parent: Path, contents: Contents) -> Bundle:
    """Into a new folder of `parent`."""
    parent.mkdir(parents=True, exist_ok=True)
    written_ms = time.time_ns() // 1_000_000
    rule = SealRule(quiet_rows=contents.least_graph_rows)
    working = VersionIndex(contents.vectors.shape[1], parent / f"index-{written_ms}", rule, storage=contents.storage)
    own = {"namespace_key": contents.namespace_key, "revision": contents.revision}
    rows = zip(contents.keys, contents.vectors, contents.metadata, strict=True)
    working.apply([state(key, vector, metadata=metadata, **own) for key, vector, metadata in rows], 0.0)
    build_all(working)
    captured = working.capture(contents.namespace_key)
    assert captured
    half = parent / f"half-{written_ms}"
    half.mkdir()
    files = write_contents(half, contents.vectors.shape[1], {contents.namespace_key: captured})
    for segment in captured.segments:
        if segment.graph:
            name = graph_name(contents.namespace_key, segment.serial)
            link_or_copy(contents.graph or segment.graph.path, half / name)
            files[name] = FileFacts((half / name).stat().st_size, sha256_of(half / name))
    body: dict[str, Any] = {
        "format": FORMAT, "epoch": contents.epoch, "layout": contents.layout, "version_key": contents.version_key,
        "shard": contents.shard, "seq": 0, "dimension": contents.vectors.shape[1], "storage": contents.storage.value,
        **GRAPH_KIND, "documents": captured.documents, "digest": captured.digest, "written_ms": written_ms,
        "files": files,
    }  # fmt: skip
    manifest = Manifest(**body | contents.changes)
    (half / MANIFEST).write_bytes(encode(manifest))
    folder = half.rename(parent / manifest.folder_name)
    working.close()
    return announced(folder, contents)


def announced(folder: Path, contents: Contents) -> Bundle:
    """What the database says of the folder as it is now."""
    return Bundle(
        job=contents.job,
        namespace_key=contents.namespace_key,
        folder=folder,
        sha256=sha256_of(folder / MANIFEST),
        first_key=contents.keys[0],
        last_key=contents.keys[-1],
    )


def place_of(contents: Contents, directory: Path) -> Place:
    """The index for which the bundle was built."""
    return Place(
        epoch=contents.epoch,
        layout=contents.layout,
        version_key=contents.version_key,
        shard=contents.shard,
        dimension=contents.vectors.shape[1],
        storage=contents.storage,
        directory=directory,
    )
