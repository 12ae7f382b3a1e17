"""Messages between roles: msgpack bodies, vectors as raw little-endian float32. Never pickle.

Times in messages are seconds since the epoch: processes share the wall clock only.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

import msgpack
import numpy as np

from embedding_project.contracts.hits import ShardHits
from embedding_project.contracts.model_spec import ModelSpec
from embedding_project.contracts.origins import Origins, origins_from_wire
from embedding_project.contracts.vectors import Vector, from_bytes, to_bytes


class Lane(StrEnum):
    """Interactive work goes first, but bulk work has its turns, so that it never starves."""

    INTERACTIVE = "interactive"
    BULK = "bulk"


class Purpose(StrEnum):
    """The task of an embedder with the texts of a batch."""

    EMBED = "embed"
    TOKENIZE = "tokenize"
    """Answer with frames of `TokenizedText`, at once and without a forward pass."""


class EmbedItem(NamedTuple):
    cache_key: bytes
    text: str
    """In normal form, with the prompt of its input type in front; empty with `ids`."""
    ids: bytes = b""
    """Token ids in place of a text, see `contracts.tokens`; empty for a text."""
    prompt_length: int = 0
    """Number of characters of the prompt in `text`."""
    keep_end: bool = False
    """Whether a text that is too long loses its beginning, and not its end."""
    second: str = ""
    """The text to read beside the query `text`, for a cross-encoder; empty for a text alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedBatch:
    """Texts of one model version that wait together, 1 to 64."""

    batch_id: str
    inbox: str
    """The Redis list for the reply."""
    lane: Lane
    deadline: float
    """After this time nobody waits for the reply."""
    use_cache: bool
    """Whether the embedder writes the results to the cache."""
    model: ModelSpec
    items: tuple[EmbedItem, ...]
    origins: Origins = ()
    """The requests that wait for it, each once."""
    purpose: Purpose = Purpose.EMBED

    def to_wire(self) -> bytes:
        head = (self.batch_id, self.inbox, self.purpose, self.lane, self.deadline, self.use_cache)
        # Embedders that know no pairs read the others.
        items = [item if item.second else item[:-1] for item in self.items]
        return _pack((*head, self.model.to_wire(), items, self.origins))

    @classmethod
    def from_wire(cls, data: bytes) -> "EmbedBatch":
        batch_id, inbox, purpose, lane, deadline, use_cache, model, items, origins = _unpack(data)
        return cls(
            batch_id=batch_id,
            inbox=inbox,
            purpose=Purpose(purpose),
            lane=Lane(lane),
            deadline=deadline,
            use_cache=use_cache,
            model=ModelSpec.from_wire(model),
            items=tuple(EmbedItem(*item) for item in items),
            origins=origins_from_wire(origins),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedHead:
    """What an embedder reads of a batch of a newer service, to refuse it."""

    batch_id: str
    inbox: str
    lane: Lane
    deadline: float
    items: int

    @classmethod
    def from_wire(cls, data: bytes) -> "EmbedHead":
        """Places that are known keep their meaning; a newer service adds others at the end."""
        batch_id, inbox, _, lane, deadline, _, _, items, *_ = _unpack(data)
        if not all(isinstance(value, str) for value in (batch_id, inbox)) or not isinstance(items, list):
            raise TypeError
        return cls(batch_id=batch_id, inbox=inbox, lane=Lane(lane), deadline=float(deadline), items=len(items))


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedReply:
    """One outcome per item, in the order of the batch: a frame of vectors or tokens, or an error code."""

    batch_id: str
    outcomes: tuple[bytes | str, ...]

    def to_wire(self) -> bytes:
        return _pack(("embed", self.batch_id, self.outcomes))


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardQuery:
    """One query to a shard, without its vector. Equal ones are searched together."""

    version_key: int
    namespace_key: int
    top_k: int
    ef_search: int
    exact: bool
    filter: str
    """Canonical JSON of the filter tree, empty for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchBatch:
    """Queries of one model version that travel together to every shard."""

    fanout_id: str
    inbox: str
    epoch: str
    """The log epoch that the sender knows; a node of another epoch answers `behind`."""
    deadline: float
    queries: tuple[ShardQuery, ...]
    vectors: Vector
    """Shape (len(queries), d), unit length."""
    origins: Origins = ()
    """The request behind each query, in their order; empty when unknown."""

    def to_wire(self) -> bytes:
        queries = [
            (query.version_key, query.namespace_key, query.top_k, query.ef_search, query.exact, query.filter)
            for query in self.queries
        ]
        head = (self.fanout_id, self.inbox, self.epoch, self.deadline)
        return _pack((*head, queries, self.vectors.shape[1], to_bytes(self.vectors), self.origins))

    @classmethod
    def from_wire(cls, data: bytes) -> "SearchBatch":
        fanout_id, inbox, epoch, deadline, queries, dimension, vectors, origins = _unpack(data)
        names = ("version_key", "namespace_key", "top_k", "ef_search", "exact", "filter")
        return cls(
            fanout_id=fanout_id,
            inbox=inbox,
            epoch=epoch,
            deadline=deadline,
            queries=tuple(ShardQuery(**dict(zip(names, query, strict=True))) for query in queries),
            vectors=from_bytes(vectors, dimension),
            origins=origins_from_wire(origins),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchReply:
    """The answer of one shard: per query its hits, or an error code such as `behind`."""

    fanout_id: str
    shard: int
    outcomes: tuple[ShardHits | str, ...]
    search_ms: float
    """Time the node spent searching."""

    def to_wire(self) -> bytes:
        outcomes = [outcome if isinstance(outcome, str) else _hits_to_wire(outcome) for outcome in self.outcomes]
        return _pack(("search", self.fanout_id, self.shard, outcomes, self.search_ms))


BEHIND = "behind"
"""Outcome of a query to a replica that may not answer now; the sender may ask another replica."""
HEAVY = "heavy"
"""Outcome of a query that would take longer than a light one may; the sender may ask again on the heavy lane."""


def decode_reply(data: bytes) -> EmbedReply | SearchReply:
    """The reply in `data`, by its tag. Raises ValueError when `data` is not a reply."""
    try:
        tag, *rest = _unpack(data)
        if tag == "embed":
            batch_id, outcomes = rest
            if not all(isinstance(outcome, bytes | str) for outcome in outcomes):
                raise TypeError
            return EmbedReply(batch_id=batch_id, outcomes=tuple(outcomes))
        if tag == "search":
            fanout_id, shard, outcomes, search_ms = rest
            decoded = tuple(item if isinstance(item, str) else _hits_from_wire(item) for item in outcomes)
            return SearchReply(fanout_id=fanout_id, shard=shard, outcomes=decoded, search_ms=search_ms)
    except (TypeError, ValueError, msgpack.UnpackException) as error:
        raise ValueError("not a reply") from error
    raise ValueError("not a reply")


def _hits_to_wire(hits: ShardHits) -> tuple[bytes, bytes, bytes]:
    return hits.scores.tobytes(), hits.document_keys.tobytes(), hits.text_revisions.tobytes()


def _hits_from_wire(wire: tuple[bytes, bytes, bytes]) -> ShardHits:
    scores, keys, revisions = wire
    return ShardHits(
        np.frombuffer(scores, np.float32), np.frombuffer(keys, np.int64), np.frombuffer(revisions, np.int32)
    )


def _pack(value: object) -> bytes:
    packed: bytes = msgpack.packb(value)
    return packed


def _unpack(data: bytes) -> list[Any]:
    unpacked: list[Any] = msgpack.unpackb(data)
    return unpacked
