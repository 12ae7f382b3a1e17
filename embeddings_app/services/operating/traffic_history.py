"""The traffic of the last quarter of an hour, for people who look at it.

A thread takes a sample of the counters of all processes every few seconds, from the first time that somebody looks. The
oldest samples are forgotten.
"""

import logging
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import cache

from prometheus_client import REGISTRY, Metric

from embedding_project.config import load_config
from embedding_project.observing.metric_files import MetricFiles
from embedding_project.threads.background import repeat_forever
from embeddings_app.services.operating.traffic import Sample, Span, read_sample

SAMPLE_SECONDS = 5.0
KEPT_SECONDS = 900.0
logger = logging.getLogger(__name__)

Collect = Callable[[], Iterable[Metric]]


class TrafficHistory:
    """The samples of the last KEPT_SECONDS."""

    def __init__(self, collect: Collect, clock: Callable[[], float] = time.monotonic) -> None:
        self._collect = collect
        self._clock = clock
        self._samples: deque[Sample] = deque(maxlen=int(KEPT_SECONDS / SAMPLE_SECONDS) + 1)
        self._lock = threading.Lock()

    def record(self) -> None:
        sample = read_sample(self._clock(), self._collect())
        with self._lock:
            self._samples.append(sample)

    def recent(self, seconds: float) -> Span | None:
        """From about `seconds` ago until now; None before there are two samples."""
        samples = self._kept()
        if len(samples) < 2:
            return None
        oldest_wanted = samples[-1].at - seconds - SAMPLE_SECONDS / 2
        first = next(sample for sample in samples if sample.at >= oldest_wanted)
        return Span(first if first is not samples[-1] else samples[-2], samples[-1])

    def windows(self, samples_each: int) -> list[Span]:
        """Overlapping spans of that many samples, one ending at each sample, oldest first."""
        samples = self._kept()
        return [Span(samples[max(0, end - samples_each)], samples[end]) for end in range(1, len(samples))]

    def _kept(self) -> list[Sample]:
        with self._lock:
            return list(self._samples)


def record_if_readable(history: TrafficHistory) -> None:
    """Take a sample, or leave it out: files of METRICS_DIR come and go with their processes."""
    try:
        history.record()
    except (OSError, ValueError, LookupError, struct.error) as error:
        logger.warning("counters not read: %s", type(error).__name__)


@cache
def traffic_history() -> TrafficHistory:
    """The history of this instance; the first call starts the thread that keeps it."""
    history = TrafficHistory(collect_metrics)

    def record_and_wait() -> None:
        try:
            record_if_readable(history)
        finally:
            time.sleep(SAMPLE_SECONDS)

    repeat_forever("traffic", record_and_wait)
    return history


def collect_metrics() -> Iterable[Metric]:
    """The metrics of all processes of the instance, or of this one without METRICS_DIR."""
    directory = load_config().metrics_dir
    if not directory:
        return REGISTRY.collect()
    return MetricFiles(directory).collect()
