"""What an index will take in the memory of a node, known before it is loaded.

The figures are those of `python -m benchmarks node_memory`.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from embedding_project.contracts.metadata import flatten
from embedding_project.contracts.vector_storage import VectorStorage
from index_nodes.coarse_codes import code_bytes
from index_nodes.kept_views import MOST_VIEWS
from index_nodes.snapshot_files import Manifest

_LINK_BYTES = 150
"""Of a row of a graph: 32 links of its lowest level, those above, its place among the links."""
_ROW_BYTES = 32
_SLOT_BYTES = 32 + 32 // 8 + 20
"""Of a document: its numbers, the room in which they grow, and its place in the map of keys."""
_VIEW_BYTES = MOST_VIEWS / 8
"""Of a row: whether it passes each of the filters that were asked for last."""
_CODE_BYTES = 5
"""Of a field that a document has or lacks."""
_VALUE_BYTES = 320
"""Of a value of a field: as an object, in a dict, and in the order of the values."""
UNBUILT_ROWS = 262_144
"""Of a load from Postgres: at most about so many rows of a namespace are in no graph yet, and are held as they came."""
_COPIES = 2
"""Of the arrays of a snapshot: as read, and taken apart by namespace."""
_VALUE_FACTOR = 8
"""How much more memory than place in a file the values of fields take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSize:
    rows: int
    dimension: int
    storage: VectorStorage
    field_bytes: float
    """Of one document; see `field_bytes`."""


def graph_row_bytes(dimension: int, storage: VectorStorage) -> int:
    """Of a row of a graph, with its vector."""
    return storage.bytes_a_number * dimension + code_bytes(dimension) + _LINK_BYTES + _ROW_BYTES


def load_bytes(size: IndexSize) -> int:
    """What an index takes at most while it is loaded from Postgres."""
    document = graph_row_bytes(size.dimension, size.storage) + _SLOT_BYTES + _VIEW_BYTES + size.field_bytes
    unbuilt = min(size.rows, UNBUILT_ROWS) * VectorStorage.FP32.bytes_a_number * size.dimension
    return round(size.rows * document) + unbuilt


def snapshot_bytes(manifest: Manifest) -> int:
    """What an index takes at most while it is read from a snapshot."""
    sizes = {name: facts.size for name, facts in manifest.files.items()}
    graphs = sum(size for name, size in sizes.items() if name.endswith(".faiss"))
    arrays = sum(size for name, size in sizes.items() if name.endswith(".npy"))
    values = sum(size for name, size in sizes.items() if name.endswith(".jsonl"))
    # Codes are made when a graph is read.
    document = _ROW_BYTES + _SLOT_BYTES + _VIEW_BYTES + code_bytes(manifest.dimension)
    documents = round(manifest.documents * document)
    return graphs + _COPIES * arrays + _VALUE_FACTOR * values + documents


def field_bytes(sample: Iterable[Mapping[str, Any]]) -> float:
    """About what the fields of one document take, from the metadata of some documents."""
    rows, values = 0, defaultdict[str, Counter[str]](Counter)
    for metadata in sample:
        rows += 1
        for path, value in flatten(metadata).items():
            values[path][json.dumps(value)] += 1
            # The elements of lists are held too, each with the lists that contain it.
            for element in value if isinstance(value, list) else ():
                values[f"{path} contains"][json.dumps(element)] += 1
    # The share of values that are in the sample once is the share of further documents that bring a new value.
    new = sum(_VALUE_BYTES + len(value) for found in values.values() for value, uses in found.items() if uses == 1)
    return len(values) * _CODE_BYTES + new / rows if rows else 0.0
