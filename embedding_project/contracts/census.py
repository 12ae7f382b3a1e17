"""Counts that index nodes take from their columns: a question to every shard, and the answer of each.

The index lags and knows nothing of documents without a vector. So the asker names the log position that an answer must
include, and the documents that it counts itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import msgpack
import numpy as np
from numpy.typing import NDArray

from embedding_project.contracts.filters import typed
from embedding_project.contracts.metadata import values_of

Value = str | int | float | bool
DocumentKeys = NDArray[np.int64]
MOST_VALUES = 10_000
"""Different values at a path that a shard lists; it says no more than that there are more."""
TOO_MANY_VALUES = "too_many_values"


@dataclass(frozen=True, slots=True, kw_only=True)
class CensusQuestion:
    """How many documents of a namespace pass a filter, and which values they have at a path."""

    question_id: str
    inbox: str
    """The Redis list for the answers."""
    epoch: str
    """The log epoch that the asker knows; a node of another epoch answers `behind`."""
    deadline: float
    """Seconds since the epoch of Unix. After this time nobody waits for the answer."""
    version_key: int
    namespace_key: int
    filter: str
    """Canonical JSON of the filter tree, empty for none."""
    path: str
    """Dotted path whose values are counted, empty for none."""
    positions: dict[int, int]
    """Shard -> position in its log that the answer must include."""
    others: DocumentKeys
    """Documents to leave out, in rising order."""

    def to_wire(self) -> bytes:
        head = (self.question_id, self.inbox, self.epoch, self.deadline, self.version_key, self.namespace_key)
        wire: bytes = msgpack.packb((*head, self.filter, self.path, self.positions, self.others.tobytes()))
        return wire

    @classmethod
    def from_wire(cls, data: bytes) -> "CensusQuestion":
        """Raises ValueError, TypeError and the errors of msgpack for what is no question."""
        *head, positions, others = msgpack.unpackb(data, strict_map_key=False)
        question_id, inbox, epoch, deadline, version_key, namespace_key, filter_, path = head
        texts, numbers = (question_id, inbox, epoch, filter_, path), (version_key, namespace_key)
        # msgpack has no schema.
        if not all(isinstance(text, str) for text in texts) or not all(isinstance(number, int) for number in numbers):
            raise TypeError
        return cls(
            question_id=question_id,
            inbox=inbox,
            epoch=epoch,
            deadline=float(deadline),
            version_key=version_key,
            namespace_key=namespace_key,
            filter=filter_,
            path=path,
            positions={int(shard): int(seq) for shard, seq in positions.items()},
            others=np.frombuffer(others, np.int64),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """Documents that pass, and of these those with each value. A document counts once for each of its values."""

    count: int
    values: dict[tuple[str, Value], int]
    """(Type, value) -> documents; empty unless a path was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CensusReply:
    """The answer of one shard: its census, or a code such as `behind`."""

    question_id: str
    shard: int
    outcome: Census | str

    def to_wire(self) -> bytes:
        outcome: object = self.outcome
        if isinstance(self.outcome, Census):
            outcome = (self.outcome.count, [(*value, count) for value, count in self.outcome.values.items()])
        wire: bytes = msgpack.packb((self.question_id, self.shard, outcome))
        return wire

    @classmethod
    def from_wire(cls, data: bytes) -> "CensusReply":
        """Raises ValueError when `data` is not a reply."""
        try:
            question_id, shard, outcome = msgpack.unpackb(data)
            if not isinstance(outcome, str):
                count, values = outcome
                outcome = Census(count=count, values={(kind, value): number for kind, value, number in values})
        except (TypeError, ValueError, msgpack.UnpackException) as error:
            raise ValueError("not a reply") from error
        return cls(question_id=question_id, shard=shard, outcome=outcome)


def scalars_of(value: object) -> Iterator[tuple[str, Value]]:
    """(Type, value) of the scalars that a document has at a path of its flat form, each once."""
    seen = set()
    for found in values_of(value):
        for scalar in found if isinstance(found, list) else (found,):
            if isinstance(scalar, str | int | float) and typed(scalar) not in seen:
                seen.add(typed(scalar))
                kind, known = typed(scalar)
                yield kind, known  # type: ignore[misc]
