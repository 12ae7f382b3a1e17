"""The latency of a search over many shards, drawn from measured times.

A search is as slow as the slowest of its shards. Each shard has replicas that take messages from one queue, so its
response time is that of a queue with several servers; the model walks through such a queue, message by message. A
message that is not answered after the hedging time is sent once more and the first answer counts. What the sender does
for itself is added at the end.
"""

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.float64]
"""Milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    shards: int
    replicas: int
    rate: float
    """Messages a second that each shard gets."""
    hedge_after_ms: float | None
    """None for no hedges."""


@dataclass(frozen=True, slots=True)
class SizeFit:
    """Milliseconds of one search as intercept + slope * log2(vectors), fitted by least squares."""

    intercept: float
    slope: float
    error: float
    """Standard deviation of what the fit leaves over."""

    def at(self, vectors: float) -> float:
        return self.intercept + self.slope * float(np.log2(vectors))


def fit_sizes(sizes: list[int], milliseconds: list[float]) -> SizeFit:
    """`sizes`: at least three, else nothing is left over to judge the fit by."""
    table = np.column_stack([np.ones(len(sizes)), np.log2(sizes)])
    found, *_ = np.linalg.lstsq(table, np.asarray(milliseconds), rcond=None)
    left = np.asarray(milliseconds) - table @ found
    error = float(np.sqrt(np.sum(left**2) / max(len(sizes) - 2, 1)))
    return SizeFit(float(found[0]), float(found[1]), error)


def response_times(service: Times, cluster: Cluster, random: np.random.Generator, count: int) -> Times:
    """Of `count` messages to one shard, in the order in which they arrive: waiting and service. `service`: measured
    times of single messages, drawn from at random."""
    arrivals = np.cumsum(random.exponential(1_000 / cluster.rate, count))
    needed = random.choice(service, count)
    free_at = [0.0] * cluster.replicas
    heapq.heapify(free_at)
    ended = np.empty(count)
    for number in range(count):
        began = max(arrivals[number], heapq.heappop(free_at))
        ended[number] = began + needed[number]
        heapq.heappush(free_at, ended[number])
    return ended - arrivals


def search_times(service: Times, sender: Times, cluster: Cluster, seed: int, count: int = 20_000) -> Times:
    """Of `count` searches: the slowest shard, and the sender's own part."""
    random = np.random.default_rng(seed)
    slowest = np.zeros(count)
    for _ in range(cluster.shards):
        answered = response_times(service, cluster, random, count)
        if cluster.hedge_after_ms is not None:
            # The other replica is as busy, so a hedge takes as long as any other message.
            again = cluster.hedge_after_ms + random.permutation(answered)
            answered = np.where(answered > cluster.hedge_after_ms, np.minimum(answered, again), answered)
        slowest = np.maximum(slowest, answered)
    slowest += random.choice(sender, count)
    return slowest
