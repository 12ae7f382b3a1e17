"""What a search will cost a node, as far as its sender can tell: by the documents of the namespace in one shard.

Which documents a filter passes is not known before. One that may pass few counts as if it did, since a node then looks
at no others; where it passes many, the node hands the search back. One that cannot is tested on every document.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple

from embedding_project.contracts.filters import And, Condition, Filter, Not, condition_count, positive
from embedding_project.contracts.messages import ShardQuery
from embedding_project.contracts.search_costs import (
    filter_microseconds,
    hits_microseconds,
    scan_microseconds,
    walk_microseconds,
)
from embedding_project.threads.expiring import ExpiringCache
from embeddings_app.records.shard_sizes import ReplicaSizes, read_sizes

_FILTERED, _MOST_FILTERED = 4, 1_500
"""How many times `ef_search` a walk looks at under a filter, and up to which number of candidates."""
_FRESH_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class ShardSizes:
    """How many documents of a namespace one shard may have."""

    named: Mapping[int, int]
    """Of the largest namespaces, by key."""
    others: int
    """At most so many, of each other namespace."""

    @classmethod
    def of(cls, replicas: Sequence[ReplicaSizes]) -> "ShardSizes":
        named: dict[int, int] = {}
        for replica in replicas:
            for key, documents in replica.named.items():
                named[key] = max(documents, named.get(key, 0))
        return cls(named, max((replica.others for replica in replicas), default=0))

    def documents(self, namespace_key: int) -> int:
        return max(self.named.get(namespace_key, 0), self.others)


class Estimate(NamedTuple):
    """Microseconds of a node's thread."""

    sure: float
    """What a search will cost that is as light as it may be: by this its lane is chosen."""
    most: float
    """What it costs when every document must be tested and, if it is exact, compared."""


def estimate(query: ShardQuery, filter_: Filter | None, dimension: int, documents: int) -> Estimate:
    hits = hits_microseconds(min(query.top_k, documents))
    scan = scan_microseconds(documents, dimension)
    ef = max(query.ef_search, query.top_k)
    if filter_ is None:
        cost = hits + (scan if query.exact else min(walk_microseconds(ef, dimension), scan))
        return Estimate(cost, cost)
    tests = filter_microseconds(documents, condition_count(filter_))
    ef = max(ef, 2 * query.top_k, min(_FILTERED * query.ef_search, _MOST_FILTERED))
    walk = min(walk_microseconds(ef, dimension), scan)
    most = hits + tests + (scan if query.exact else walk)
    return Estimate(hits + walk if may_pass_few(filter_) else most, most)


def of_heavy(query: ShardQuery, filter_: Filter | None, dimension: int, documents: int) -> float:
    """Microseconds, at most, of a search for which a node said that it is heavy."""
    return estimate(replace(query, exact=True), filter_, dimension, documents).most


def may_pass_few(node: Filter) -> bool:
    """Whether a node may find the documents that pass without a look at the others."""
    if isinstance(node, Not):
        return False
    if isinstance(node, Condition):
        return not positive(node)[1]
    return (any if isinstance(node, And) else all)(map(may_pass_few, node.parts))


def documents_in_a_shard(layout: int, version_key: int, namespace_key: int) -> int:
    """Of the namespace, in the shard that has most of them; no less, but perhaps more. Raises DatabaseError."""
    return _sizes().get((layout, version_key)).documents(namespace_key)


@cache
def _sizes() -> ExpiringCache[tuple[int, int], ShardSizes]:
    return ExpiringCache(lambda log: ShardSizes.of(read_sizes(*log)), _FRESH_SECONDS)
