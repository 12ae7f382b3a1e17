"""Times of single calls and what is said about them."""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Latency:
    count: int
    p50_ms: float
    p99_ms: float
    mean_ms: float


def summarize(milliseconds: Sequence[float]) -> Latency:
    values = np.asarray(milliseconds)
    p50, p99 = np.percentile(values, (50, 99))
    return Latency(len(values), float(p50), float(p99), float(values.mean()))


def time_each(call: Callable[[Item], object], items: Iterable[Item]) -> Latency:
    """One call after another."""
    times = []
    for item in items:
        began = time.perf_counter()
        call(item)
        times.append(1000 * (time.perf_counter() - began))
    return summarize(times)


def rate_of(call: Callable[[Item], object], items: Sequence[Item], threads: int) -> float:
    """Calls per second when `threads` callers share the items."""
    with ThreadPoolExecutor(threads) as pool:
        began = time.perf_counter()
        for _ in pool.map(call, items):
            pass
        return len(items) / (time.perf_counter() - began)
