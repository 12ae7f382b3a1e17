"""Infinity's server with the same weights, on loopback, asked by the same client as our own service."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import httpx
import numpy as np

from benchmarks.client import to_body
from benchmarks.corpus import Matrix
from benchmarks.errors import BenchmarkError
from benchmarks.peers.environment import peer_environment
from benchmarks.peers.server import peer_server
from supervisor.ports import pick_free_port

REQUIREMENT = "infinity-emb[torch,server]==0.0.78"
# Its command line does not work with newer ones.
_BESIDE = ("click<8.2",)
_START_SECONDS = 120.0
_TIMEOUT_SECONDS = 120.0
_MODEL = "peer"


class InfinityClient:
    """Safe to use from several threads."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=_TIMEOUT_SECONDS)

    def embed(self, texts: list[str]) -> Matrix:
        """Vectors of shape (len(texts), d). Raises BenchmarkError."""
        body = to_body({"model": _MODEL, "input": texts})
        answer = self._http.post("/embeddings", content=body, headers={"Content-Type": "application/json"})
        if not answer.is_success:
            raise BenchmarkError(f"Infinity answered {answer.status_code}: {answer.text[:300]}")
        return np.asarray([item["embedding"] for item in answer.json()["data"]], np.float32)


@contextmanager
def infinity(model_folder: Path) -> Iterator[InfinityClient]:
    """A server of the model in `model_folder`, in float32, as it starts by default otherwise. Raises BenchmarkError."""
    torch = f"torch=={version('torch').partition('+')[0]}"
    program = peer_environment(REQUIREMENT, first=torch, beside=_BESIDE) / "infinity_emb"
    port = pick_free_port()
    options = {
        "--model-id": model_folder,
        "--served-model-name": _MODEL,
        "--engine": "torch",
        "--device": "cpu",
        "--dtype": "float32",
        "--host": "127.0.0.1",
        "--port": port,
    }
    command = (str(program), "v2", *(str(part) for pair in options.items() for part in pair), "--no-bettertransformer")
    quiet = {"HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1", "INFINITY_ANONYMOUS_USAGE_STATS": "0"}
    with peer_server(command, f"http://127.0.0.1:{port}/health", _START_SECONDS, quiet):
        yield InfinityClient(f"http://127.0.0.1:{port}")
