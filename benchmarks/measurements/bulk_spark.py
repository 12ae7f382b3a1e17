"""Texts that a bulk job embeds on Spark, beside the same job in processes of this machine, in the same run."""

import time

from benchmarks import corpus
from benchmarks.errors import BenchmarkError
from benchmarks.measurements.bulk_texts import WORKERS, bulk_rate, write_file
from benchmarks.own_instance import OwnInstance, own_directory, own_instance
from benchmarks.report import Figure, Goal
from supervisor.java import SPARK_VENV

SIZE = 2_048
_OVERHEAD = Goal(15, at_least=False)
_ENGINES = ("local", "spark", "local")
"""In turns, so that what else runs on the machine hits both."""


def measure(size: int = SIZE) -> list[Figure]:
    if not SPARK_VENV.exists():
        raise BenchmarkError("pyspark is not installed: type 'make setup-spark'")
    rates: dict[str, list[float]] = {"local": [], "spark": []}
    seconds: dict[str, float] = {}
    with own_directory() as folder, own_instance(folder) as instance:
        source = str(write_file(folder / "texts.jsonl", corpus.texts(size)))
        for turn, engine in enumerate(_ENGINES):
            began = time.monotonic()
            rates[engine].append(_rate(instance, source, size, f"{engine}-{turn}", engine))
            seconds[engine] = time.monotonic() - began
    local, spark = sum(rates["local"]) / len(rates["local"]), rates["spark"][0]
    note = f"{size:,} texts, {WORKERS} processes; the load of the model is left out"
    return [
        Figure("bulk, texts in processes, before and after", local, "texts/s", note=note),
        Figure("bulk, texts on Spark local[2]", spark, "texts/s", note=note),
        Figure("Spark's overhead", 100 * (local / spark - 1), "%", _OVERHEAD),
        Figure("whole job, processes", seconds["local"], "s"),
        Figure("whole job, Spark", seconds["spark"], "s", note="the start of Java and the first reading included"),
    ]


def _rate(instance: OwnInstance, source: str, size: int, namespace: str, engine: str) -> float:
    return bulk_rate(instance, source, size, namespace, "--engine", engine, "--master", f"local[{WORKERS}]")
