"""Qdrant's engine in a process of its own, without a network: what a server of it could do at best."""

import json
import subprocess
from pathlib import Path

import numpy as np

from benchmarks.bare_faiss import EF_CONSTRUCTION, EF_SEARCH, LINKS
from benchmarks.corpus import SearchSet
from benchmarks.errors import BenchmarkError
from benchmarks.exact import Truth
from benchmarks.latency import summarize
from benchmarks.peers.environment import peer_environment
from benchmarks.peers.peer import PeerFigures, Round

REQUIREMENT = "qdrant-edge-py==0.9.0"
_SCRIPT = Path(__file__).with_name("qdrant_script.py")


def measure(folder: Path, data: SearchSet, truth: Truth, asked: Round) -> PeerFigures:
    """Load the vectors, check the answers, measure. Raises BenchmarkError."""
    home = folder / "qdrant-edge"
    home.mkdir()
    np.save(home / "vectors.npy", data.vectors)
    np.save(home / "queries.npy", data.queries)
    wishes = {
        "top_k": asked.top_k,
        "crowd": asked.crowd,
        "seconds": asked.seconds,
        "links": LINKS,
        "ef_construction": EF_CONSTRUCTION,
        "ef_search": EF_SEARCH,
    }
    (home / "asked.json").write_text(json.dumps(wishes), encoding="utf-8")
    python = peer_environment(REQUIREMENT, beside=("numpy",)) / "python"
    outcome = subprocess.run((python, _SCRIPT, home), capture_output=True, text=True, check=False)
    if outcome.returncode:
        raise BenchmarkError(f"Qdrant Edge failed: {outcome.stderr.strip()[-500:]}")
    result = json.loads((home / "result.json").read_text(encoding="utf-8"))
    alone, crowd = summarize(result["alone"]), summarize(result["crowd"])
    return PeerFigures(
        recall=truth.recall(result["found"], asked.top_k),
        build_rate=len(data.vectors) / result["build_seconds"],
        p50_ms=alone.p50_ms,
        p99_ms=alone.p99_ms,
        crowd_rate=len(result["crowd"]) / asked.seconds,
        crowd_p99_ms=crowd.p99_ms,
        setting=f"{REQUIREMENT}, in process, {asked.crowd} threads instead of clients, no HTTP",
    )
