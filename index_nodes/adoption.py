"""Documents that were built elsewhere, on their way into a collection.

They get slots that belong to nobody, then their fields, piece by piece, while the collection is searched and written as
ever. At last they get their ids, all at once: only then do searches see them. A document that the collection knows by
then is as new at least, so its row is dead from the beginning.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from index_nodes.collection_state import ColumnState
from index_nodes.hnsw_segment import HnswSegment
from index_nodes.row_bits import Mask
from index_nodes.rows import SegmentRows
from index_nodes.slots import FIRST_NUMBER, StateNumber
from index_nodes.tally import document_hash

FIELDS_PIECE = 128
"""Documents whose fields come in before the lock is free again: a millisecond, where each has values of its own."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BuiltDocuments:
    """Documents with one graph of their vectors, all in their first state: nobody has changed them yet."""

    document_keys: NDArray[np.int64]
    """In rising order, which is that of the rows of the graph."""
    columns: Mapping[str, ColumnState]
    """By field; codes by row."""
    graph: faiss.IndexHNSW
    path: Path
    """The file of the graph; the index may remove it."""
    sha256: str
    digest: int

    def __len__(self) -> int:
        return len(self.document_keys)


class Adoption:
    def __init__(self, built: BuiltDocuments, first_slot: int, first_stamp: int) -> None:
        """Slots and stamps from the given ones on are its own already."""
        self.document_keys = built.document_keys
        self.columns = built.columns
        self.known_codes = {path: np.full(len(state.values), -1, np.int32) for path, state in built.columns.items()}
        """By field and code: the code that the collection has for the same value, -1 until it is known."""
        self.first_slot = first_slot
        count = len(built)
        rows = SegmentRows(
            slots=np.arange(first_slot, first_slot + count, dtype=np.int32),
            stamps=np.arange(first_stamp, first_stamp + count, dtype=np.int64),
            document_keys=built.document_keys,
            text_revisions=np.full(count, FIRST_NUMBER.text_revision, np.int32),
        )
        self.segment = HnswSegment(rows, built.graph, built.path)
        self.segment.sha256 = built.sha256
        self._digest = built.digest

    def pieces(self) -> Iterator[slice]:
        count = len(self.document_keys)
        return (slice(start, min(start + FIELDS_PIECE, count)) for start in range(0, count, FIELDS_PIECE))

    def unknown(self, known: Mapping[int, StateNumber]) -> Mask:
        """By row, whether it shows the newest state of its document. `known`: what the collection knows, by row."""
        unknown = np.ones(len(self.document_keys), np.bool_)
        unknown[[row for row, number in known.items() if number >= FIRST_NUMBER]] = False
        return unknown

    def digest_of(self, unknown: Mask) -> int:
        dead = self.document_keys[~unknown].tolist()
        return self._digest - sum(document_hash(key, *FIRST_NUMBER) for key in dead)
