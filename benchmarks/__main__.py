"""`python -m benchmarks [NAME ...]`: runs measurements, prints one table, keeps the figures in benchmarks/results.

Several measurements run one after another, each in a process of its own: none inherits threads or memory of another.
"""

import argparse
import importlib
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import corpus
from benchmarks.errors import BenchmarkError
from benchmarks.machine import commit, this_machine
from benchmarks.report import Figure, Report, load, render, stored
from embedding_project.config import ConfigError
from supervisor.errors import StartError

NAMES = (
    "bulk",
    "bulk_beside",
    "bulk_spark",
    "bulk_texts",
    "documents",
    "drain",
    "embed_cached",
    "embed_gpu",
    "embed_uncached",
    "encoders",
    "filtered",
    "keys",
    "million",
    "namespaces",
    "node_memory",
    "overload",
    "pipeline",
    "quality",
    "readiness",
    "rebuild",
    "reshard",
    "restart",
    "search",
    "search_beside_heavy",
    "search_beside_writes",
    "search_costs",
    "search_inside",
    "search_peers",
    "simulate",
    "upgrade",
    "upload",
    "upsert",
    "words",
)

SIZED = (
    "bulk",
    "bulk_beside",
    "bulk_spark",
    "bulk_texts",
    "documents",
    "filtered",
    "million",
    "node_memory",
    "rebuild",
    "reshard",
    "search",
    "search_costs",
    "upload",
)
"""Measurements whose number of vectors, or of texts, can be chosen."""
_MAX_SIZE = 1_000_000
JUDGED = ("words",)
"""Measurements whose judged collection can be chosen."""


def main(argv: Sequence[str]) -> int:
    """Run what was asked for; 0 when everything could be measured, whether or not goals were met."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all of them by default")
    parser.add_argument("--stored", action="store_true", help="print the figures of the last runs, measure nothing")
    parser.add_argument("--size", type=int, metavar="VECTORS", help=f"how many, for {', '.join(SIZED)} alone")
    parser.add_argument("--texts", action="store_true", help="for bulk alone: bulk_texts, texts that a job embeds")
    parser.add_argument("--collection", type=Path, metavar="FOLDER", help=f"judged, for {', '.join(JUDGED)} alone")
    parser.add_argument("--engine", choices=("spark",), help="for bulk alone: bulk_spark, the same on Spark")
    arguments = parser.parse_args(argv)
    names = arguments.names or list(NAMES)
    if arguments.texts or arguments.engine:
        if names != ["bulk"]:
            parser.error("--texts and --engine: for bulk alone")
        names = ["bulk_spark" if arguments.engine else "bulk_texts"]
    if unknown := sorted(set(names) - set(NAMES)):
        parser.error(f"unknown: {', '.join(unknown)}")
    if arguments.size is not None and not (names[0] in SIZED and len(names) == 1 and 1 <= arguments.size <= _MAX_SIZE):
        parser.error(f"--size: 1 to {_MAX_SIZE:,}, for one of {', '.join(SIZED)}")
    if arguments.collection is not None and not (len(names) == 1 and names[0] in JUDGED):
        parser.error(f"--collection: for one of {', '.join(JUDGED)}")
    if arguments.stored:
        print(render([(name, load(name)) for name in names if stored(name)]))
        return 0
    chosen = arguments.size if arguments.size is not None else arguments.collection
    return _one(names[0], chosen) if len(names) == 1 else _several(names)


def _one(name: str, chosen: int | Path | None) -> int:
    """`chosen`: the number of vectors, or the folder of the collection."""
    machine, began = this_machine(), time.monotonic()
    print(f"{name}: {machine}\n{name}: {corpus.description()}", flush=True)
    try:
        measure = importlib.import_module(f"benchmarks.measurements.{name}").measure
        figures: list[Figure] = measure() if chosen is None else measure(chosen)
    except (BenchmarkError, ConfigError, StartError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    report = Report(
        name=name,
        command=f"python -m benchmarks {name}" + _option(chosen),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=commit(),
        seconds=round(time.monotonic() - began, 1),
        data=corpus.description(),
        machine=machine,
        figures=tuple(figures),
    )
    path = report.save()
    print(render([(name, figures)]))
    print(f"{name}: {report.seconds:.0f} s, written to {path}", flush=True)
    return 0


def _option(chosen: int | Path | None) -> str:
    if chosen is None:
        return ""
    return f" --size {chosen}" if isinstance(chosen, int) else f" --collection {chosen.name}"


def _several(names: Sequence[str]) -> int:
    failed = []
    for name in names:
        print(f"{name}: running", flush=True)
        outcome = subprocess.run((sys.executable, "-m", "benchmarks", name), stdout=subprocess.PIPE, check=False)
        if outcome.returncode:
            failed.append(name)
    print(f"{this_machine()}\n{corpus.description()}\n")
    print(render([(name, load(name)) for name in names if name not in failed]))
    if failed:
        print(f"could not be measured: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
