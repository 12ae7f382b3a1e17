"""The Python client and a running instance."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from embsearch import AsyncClient, Client

from tests.client_contract import ClientContract, NamespacesContract, Place
from tests.client_word_contract import TextSearchContract
from tests.conftest import EXTERNAL_DIMENSION, ROOT, Service

DOCUMENTS, BATCH = 3000, 32
PATIENCE_SECONDS = 120.0


class TestInstance(ClientContract, NamespacesContract, TextSearchContract):
    @pytest.fixture
    def place(self, service: Service) -> Place:
        return Place(lambda: Client(service.url), lambda: AsyncClient(service.url))


def test_vectors_of_the_client_are_loaded_and_searched(service: Service, external_model: str) -> None:
    import numpy

    numbers = numpy.random.default_rng(1)
    frame_rows = [{"id": str(n), "vector": numbers.normal(size=EXTERNAL_DIMENSION)} for n in range(50)]
    bad = {"id": "bad", "vector": [0.0] * EXTERNAL_DIMENSION}
    with Client(service.url) as client:
        space = client.namespace("client-vectors")
        report = space.upload([*frame_rows, bad], model_id=external_model, batch=20)
        assert [(failed.id, failed.code) for failed in report.failed] == [("bad", "zero_vector")]
        space.wait(timeout=PATIENCE_SECONDS)
        hit = space.search(vector=frame_rows[7]["vector"], top_k=1, include=["vector"])[0]
        assert hit.id == "7"
        assert hit.score == pytest.approx(1.0, abs=1e-5)


def test_a_load_that_is_killed_goes_on_without_losing_a_document(service: Service, tmp_path: Path) -> None:
    file, checkpoint = tmp_path / "notes.jsonl", tmp_path / "notes.jsonl.ckpt"
    file.write_text("".join(json.dumps({"id": f"{number:05}", "text": "a"}) + "\n" for number in range(DOCUMENTS)))
    command = [sys.executable, "-m", "embsearch", "load", str(file), "-n", "killed-load", "--resume", "--json"]
    command += ["--batch", str(BATCH), "--parallel", "2"]
    environ = {**os.environ, "EMBSEARCH_URL": service.url, "PYTHONPATH": str(ROOT / "clients" / "python" / "src")}
    with subprocess.Popen(command, env=environ) as load:
        give_up = time.monotonic() + PATIENCE_SECONDS
        while not checkpoint.exists() or checkpoint.read_bytes().count(b"\n") < 4:
            assert time.monotonic() < give_up
            time.sleep(0.01)
        load.kill()
    assert load.returncode != 0, "it was done before it could be killed"

    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["rows"] == report["written"] + report["resumed"] == DOCUMENTS
    assert report["resumed"] >= 3 * BATCH
    assert not checkpoint.exists()
    with Client(service.url) as client:
        killed = client.namespace("killed-load")
        assert [one.id for one in killed.scan(include=[])] == [f"{number:05}" for number in range(DOCUMENTS)]
        assert {one.revision for one in killed.scan(include=[])} == {1}
