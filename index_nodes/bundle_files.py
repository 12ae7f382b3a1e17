"""The files of a bundle: documents of one namespace and one graph of them, as a bulk job has built them.

A bundle is a folder in the format of snapshots, and is believed as little: first the checksum of its manifest, which
the database holds, then every file, then what the manifest says, and a child process that lets Faiss read the graph.
"""

import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from index_nodes.adoption import BuiltDocuments
from index_nodes.collection_state import CollectionState
from index_nodes.graph_storage import GRAPH_KIND, read_graph
from index_nodes.memory_budget import MemoryBudget
from index_nodes.memory_plan import snapshot_bytes
from index_nodes.slots import FIRST_NUMBER
from index_nodes.snapshot_check import Abandoned, check_graphs
from index_nodes.snapshot_contents import read_contents
from index_nodes.snapshot_files import MANIFEST, Manifest, SnapshotDamaged, sha256_of, verified


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """What the database says of a bundle."""

    job: int
    namespace_key: int
    folder: Path
    sha256: str
    """Of its manifest."""
    first_key: int
    last_key: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The index that is to take a bundle over."""

    epoch: str
    layout: int
    version_key: int
    shard: int
    dimension: int
    storage: str
    directory: Path


def read_bundle(bundle: Bundle, place: Place, memory: MemoryBudget, unwanted: Callable[[], bool]) -> BuiltDocuments:
    """Check everything, then read. Raises SnapshotDamaged; NoRoom; and Abandoned as soon as `unwanted()`."""
    try:
        if sha256_of(bundle.folder / MANIFEST) != bundle.sha256:
            raise SnapshotDamaged("its manifest is another one than was announced")
    except OSError as error:
        raise SnapshotDamaged(f"it cannot be read: {error.strerror}") from error
    manifest = verified(bundle.folder)
    if reason := _unfit(manifest, place):
        raise SnapshotDamaged(reason)
    memory.require(snapshot_bytes(manifest), f"version {manifest.version_key}, a bundle of job {bundle.job},")
    check_graphs(bundle.folder, manifest, unwanted)
    graphs = place.directory / f"bundle-{uuid.uuid4().hex}"
    try:
        graphs.mkdir(parents=True)
        return _read(bundle, manifest, graphs)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError) as error:
        shutil.rmtree(graphs, ignore_errors=True)
        if unwanted():
            raise Abandoned from error
        raise SnapshotDamaged(f"its files contradict one another: {error}") from error


def _unfit(manifest: Manifest, place: Place) -> str:
    """Why an undamaged bundle cannot be used; empty when it can."""
    names = ("epoch", "layout", "version_key", "shard", "dimension", "storage")
    if any(getattr(manifest, name) != getattr(place, name) for name in names):
        return "it was built for another index"
    if any(getattr(manifest, name) != value for name, value in GRAPH_KIND.items()):
        return f"its graph was made in another way, by Faiss {manifest.faiss}"
    return ""


def _read(bundle: Bundle, manifest: Manifest, graphs: Path) -> BuiltDocuments:
    states = read_contents(bundle.folder, manifest.dimension, graphs)
    if set(states) != {bundle.namespace_key}:
        raise ValueError("it has another namespace")
    state = states[bundle.namespace_key]
    _check(bundle, manifest, state)
    (segment,) = state.segments
    if segment.graph is None:
        raise ValueError("it has no graph")
    graph = read_graph(segment.graph.path)
    if graph.ntotal != manifest.documents or graph.d != manifest.dimension:
        raise ValueError("its graph is that of other documents")
    return BuiltDocuments(
        document_keys=state.slots.document_keys,
        columns=state.columns,
        graph=graph,
        path=segment.graph.path,
        sha256=segment.graph.sha256,
        digest=manifest.digest,
    )


def _check(bundle: Bundle, manifest: Manifest, state: CollectionState) -> None:
    """Raises ValueError unless its rows are those of one graph, in the order of their keys, each document once and in
    its first state."""
    keys, rows = state.slots.document_keys, np.arange(manifest.documents)
    if not len(rows) or len(state.segments) != 1 or state.fresh is not None or state.slots.tombstones:
        raise ValueError("it is not one graph")
    in_order = (state.segments[0].slots, state.slots.stamps, state.segments[0].stamps)
    if len(keys) != len(rows) or not all(np.array_equal(numbers, rows) for numbers in in_order):
        raise ValueError("its rows are in another order")
    if not (np.all(np.diff(keys) > 0) and keys[0] >= bundle.first_key and keys[-1] <= bundle.last_key):
        raise ValueError("it has keys of other documents")
    if np.any(state.slots.revisions != FIRST_NUMBER.revision):
        raise ValueError("a document of it was changed")
    if np.any(state.slots.text_revisions != FIRST_NUMBER.text_revision):
        raise ValueError("a text of it was changed")
    if state.digest != manifest.digest or any(len(column.codes) != len(rows) for column in state.columns.values()):
        raise ValueError("its parts are of different documents")
    for column in state.columns.values():
        if not (column.codes.min() >= -1 and column.codes.max() < len(column.values)):
            raise ValueError("a document has a code without a value")
