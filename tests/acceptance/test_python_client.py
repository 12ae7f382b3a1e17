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
from tests.conftest import ROOT, Service


class TestInstance(ClientContract, NamespacesContract):
    @pytest.fixture
    def place(self, service: Service) -> Place:
        return Place(lambda: Client(service.url), lambda: AsyncClient(service.url))


DOCUMENTS, BATCH = 3000, 32
PATIENCE_SECONDS = 120.0


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
