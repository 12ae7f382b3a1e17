"""The most frequent items of a stream in bounded memory: the space-saving algorithm, and summaries that can be merged.

Metwally, Agrawal, El Abbadi: Efficient computation of frequent and top-k elements in data streams (2005); the merge is
that of Agarwal and others: Mergeable summaries (2012).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Summary(Generic[Item]):
    """How often items came. With room for k items, of n that came:

    an item came at least `counts[item]` times (0 when it is not there), at most `error` times more, and `error` <= n/k.
    """

    total: float = 0.0
    """n"""
    error: float = 0.0
    counts: Mapping[Item, float] = field(default_factory=dict)

    def top(self, limit: int) -> list[Item]:
        """The most frequent items, the first most of all."""
        return sorted(self.counts, key=lambda item: self.counts[item], reverse=True)[:limit]

    def merged(self, other: "Summary[Item]", capacity: int) -> "Summary[Item]":
        """The summary of both streams one after the other, with room for `capacity` items."""
        counts = dict(self.counts)
        for item, count in other.counts.items():
            counts[item] = counts.get(item, 0.0) + count
        cut = sorted(counts.values(), reverse=True)[capacity] if len(counts) > capacity else 0.0
        return Summary(
            total=self.total + other.total,
            error=self.error + other.error + cut,
            counts={item: count - cut for item, count in counts.items() if count > cut},
        )

    def halved(self) -> "Summary[Item]":
        """The same stream when each item counts half. What is left of less than one whole item is forgotten."""
        halves = {item: count / 2 for item, count in self.counts.items()}
        forgotten = max((count for count in halves.values() if count < 1.0), default=0.0)
        kept = {item: count for item, count in halves.items() if count >= 1.0}
        return Summary(self.total / 2, self.error / 2 + forgotten, kept)


class SpaceSaving(Generic[Item]):
    """Counts a stream item by item, each in constant time. For one thread at a time."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._total = 0
        self._counts: dict[Item, int] = {}
        self._buckets: dict[int, dict[Item, None]] = {}
        """Count -> the items that have it, the oldest first."""
        self._lowest = 0
        """The smallest count; 0 without items."""

    def add(self, item: Item) -> None:
        self._total += 1
        count = self._counts.get(item)
        if count is not None:
            self._put(item, count, count + 1)
        elif len(self._counts) < self._capacity:
            self._lowest = 1
            self._put(item, 0, 1)
        else:
            # It takes the place of an item with the lowest count, and its count: it may have come as often before.
            count = self._lowest
            replaced = next(iter(self._buckets[count]))
            del self._counts[replaced], self._buckets[count][replaced]
            self._put(item, count, count + 1)

    def summary(self) -> Summary[Item]:
        error = self._lowest if len(self._counts) >= self._capacity else 0
        counts = {item: float(count - error) for item, count in self._counts.items() if count > error}
        return Summary(float(self._total), float(error), counts)

    def _put(self, item: Item, before: int, after: int) -> None:
        bucket = self._buckets.get(before)
        if bucket is not None:
            bucket.pop(item, None)
        self._counts[item] = after
        self._buckets.setdefault(after, {})[item] = None
        if bucket is not None and not bucket:
            del self._buckets[before]
            if before == self._lowest:
                # An item just went from here to the next count, so that one is the lowest now.
                self._lowest = after
