"""Documents with texts and vectors, loaded by the Python client and by plain requests, in turns."""

import os
import subprocess
import sys
from statistics import median

from benchmarks.errors import BenchmarkError
from benchmarks.loaded_index import MODEL_ID, register
from benchmarks.own_instance import OwnInstance, own_directory, own_instance
from benchmarks.process_cpu import wait_until_idle
from benchmarks.report import Figure, Goal
from embedding_project.config import PROJECT_ROOT

SIZE = 15_000
"""In each turn; every turn has a namespace of its own."""
_TURNS = ("requests", "client", "requests", "client", "requests", "client")
_SHARE = Goal(0.9, at_least=True)


def measure(size: int = SIZE) -> list[Figure]:
    rates: dict[str, list[float]] = {"requests": [], "client": []}
    with own_directory() as folder, own_instance(folder) as instance:
        register(instance)
        for turn, way in enumerate(_TURNS):
            rates[way].append(size / _seconds(instance, way, f"turn-{turn}", size))
            wait_until_idle(instance.var)
    by_client, plain = median(rates["client"]), median(rates["requests"])
    ratios = [one / other for one, other in zip(rates["client"], rates["requests"], strict=True)]
    return [
        Figure("plain requests", plain, "documents/s", note=f"{size:,} documents, 256 a request, 2 at a time"),
        Figure("the Python client", by_client, "documents/s", note="the same"),
        Figure("the Python client / plain requests", median(ratios), "x", _SHARE, note="median of 3 pairs"),
    ]


def _seconds(instance: OwnInstance, way: str, namespace: str, size: int) -> float:
    command = (sys.executable, "-m", "benchmarks.upload_process", way, instance.url, namespace, MODEL_ID, str(size))
    environ = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT / "clients" / "python" / "src")}
    answer = subprocess.run(command, cwd=PROJECT_ROOT, env=environ, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise BenchmarkError(f"the load by {way} failed: {answer.stderr.strip()[-500:]}")
    return float(answer.stdout)
