"""Counters and gauges of processes that have died, in files that real processes wrote."""

import os
import subprocess
import sys
from pathlib import Path

from prometheus_client import Metric

from embedding_project.observing.metric_files import MetricFiles

_WORKER = """
from prometheus_client import Counter, Gauge, Histogram
Counter("asked", "", ["route"]).labels("/a").inc(3)
Histogram("took", "", buckets=[1]).observe(0.5)
Gauge("now", "", multiprocess_mode="livesum").set(7)
print("ready", flush=True)
input()
"""


class Worker:
    """A process that counted something."""

    def __init__(self, directory: Path) -> None:
        environ = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(directory)}
        self._process = subprocess.Popen(
            [sys.executable, "-c", _WORKER], env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


def values(metrics: list[Metric]) -> dict[str, float]:
    return {sample.name: sample.value for metric in metrics for sample in metric.samples}


def test_gauges_of_the_dead_go_and_their_counters_stay_in_one_file(tmp_path: Path) -> None:
    files = MetricFiles(str(tmp_path), settled_seconds=0)
    for died in range(3):
        worker = Worker(tmp_path)
        for _ in range(2):
            told = values(files.collect())
            assert (told["asked_total"], told["took_count"], told["now"]) == (3 * (died + 1), died + 1, 7)
        worker.kill()
        for _ in range(2):
            told = values(files.collect())
            assert (told["asked_total"], told["took_count"]) == (3 * (died + 1), died + 1)
            assert "now" not in told
    assert {file.name for file in tmp_path.iterdir()} == {"lock", "counter_merged.db", "histogram_merged.db"}


def test_a_process_id_that_another_process_has_now_keeps_no_gauge(tmp_path: Path) -> None:
    worker = Worker(tmp_path)
    worker.kill()
    (old,) = tmp_path.glob("gauge_*.db")
    old.rename(tmp_path / f"gauge_livesum_{os.getpid()}.db")
    assert "now" not in values(MetricFiles(str(tmp_path), settled_seconds=0).collect())


def test_a_file_that_changed_a_moment_ago_is_left_alone(tmp_path: Path) -> None:
    Worker(tmp_path).kill()
    assert values(MetricFiles(str(tmp_path)).collect())["now"] == 7
