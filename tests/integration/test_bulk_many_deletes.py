"""Clients delete more documents of a job than a node remembers tombstones of, before these become visible: all stay
deleted, in a node that follows, in one that comes from its snapshot, and in one that loads from Postgres."""

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from itertools import count, islice
from pathlib import Path

import numpy as np
import pytest

from embedding_project.contracts.keys import shard_hash
from embeddings_app.models import BulkState, ModelRegistry, Namespace
from embeddings_app.records.topology import read_topology
from embeddings_app.services.documents.deleting import delete_many
from tests.integration.bulk_commands import WORK, Start, started_commands
from tests.integration.bulk_loads import DIMENSION, MODEL, SPACE, external_model
from tests.integration.indexing_steps import rows
from tests.integration.test_bulk_graphs import in_state, kill, nodes_agree

MOST_TOMBSTONES = 2_000
DELETED, KEPT = MOST_TOMBSTONES + 1, 500
CHUNK = 1_000
PATIENCE_SECONDS = 120.0


@pytest.fixture
def version(database: str) -> Iterator[ModelRegistry]:
    shutil.rmtree(WORK, ignore_errors=True)
    with external_model() as made:
        yield made
    shutil.rmtree(WORK, ignore_errors=True)


@pytest.fixture
def start() -> Iterator[Start]:
    with started_commands() as run:
        yield run


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _ids() -> list[str]:
    """All of the first shard, so that one node has all tombstones."""
    shards = read_topology().shards
    of_the_first = (f"d{number:07}" for number in count() if shard_hash(SPACE, f"d{number:07}") % shards == 0)
    return list(islice(of_the_first, DELETED + KEPT))


def _source(path: Path, ids: list[str]) -> Path:
    vectors = np.random.default_rng(5).standard_normal((len(ids), DIMENSION)).round(3).tolist()
    with path.open("w", encoding="utf-8") as file:
        for doc_id, vector in zip(ids, vectors, strict=True):
            file.write(f"{json.dumps({'id': doc_id, 'vector': vector})}\n")
    return path


def test_more_deletes_than_a_node_remembers_bring_nothing_back(
    version: ModelRegistry, start: Start, tmp_path: Path
) -> None:
    def node(shard: int, name: str) -> "subprocess.Popen[str]":
        program = ("-m", "tests.integration.node_process")
        options = ("--shard", shard, "--folder", tmp_path / name, "--most-tombstones", MOST_TOMBSTONES)
        return start(*options, program=program)

    ids = _ids()
    nodes = [node(0, "node-0"), node(1, "node-1")]
    until(lambda: rows("SELECT 1 FROM shard_replica WHERE model_version_id = %s AND shard = 0", version.pk))
    # Frozen, so that the job waits for it with what it has loaded.
    nodes[0].send_signal(signal.SIGSTOP)
    source = _source(tmp_path / "rows.jsonl", ids)
    job = start("run", source, "--namespace", SPACE, "--model-id", MODEL, "--graphs-from", 1)
    until(lambda: in_state(BulkState.PREPARING))
    space = Namespace.objects.get(name=SPACE)
    deleted = sum(delete_many(space, ids[first : min(first + CHUNK, DELETED)]) for first in range(0, DELETED, CHUNK))
    assert deleted == DELETED
    nodes[0].send_signal(signal.SIGCONT)
    _, err = job.communicate(timeout=PATIENCE_SECONDS)
    assert job.returncode == 0, err
    until(lambda: nodes_agree(version))
    assert rows("SELECT count(*) FROM document WHERE NOT deleted") == [(KEPT,)]
    kill(nodes[0])
    for name in ("node-0", "loaded-anew"):
        rows("DELETE FROM shard_replica WHERE model_version_id = %s AND shard = 0 RETURNING 1", version.pk)
        nodes[0] = node(0, name)
        until(lambda: nodes_agree(version))
        kill(nodes[0])
