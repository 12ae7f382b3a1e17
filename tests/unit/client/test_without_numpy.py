"""The Python client where numpy is not installed, and an answer that is not one of this API."""

import subprocess
import sys

import pytest
from embsearch import UnexpectedAnswer
from embsearch.text_steps import health, model_list

from tests.conftest import ROOT
from tests.unit.client.scripted import PATIENCE, reply, run

PROGRAM = """
import sys
sys.modules["numpy"] = None
from embsearch.testing import FakeServer
with FakeServer().client() as client:
    assert [type(row) for row in client.embed(["a", "b"] * 200)] == [list] * 400
    assert client.embed("a") == client.embed(["b", "a"])[1]
    result = client.embed_many(["a", " "], on_error="skip")
    assert result.vectors[1][0] != result.vectors[1][0]
    assert client.embed([]) == []
    notes = client.namespace("notes")
    notes.upload([{"id": 1, "text": "a"}])
    assert notes.search(vector=client.embed("a"))[0].id == "1"
print("done")
"""


def test_vectors_are_lists_where_numpy_is_not_installed() -> None:
    environ = {"PYTHONPATH": str(ROOT / "clients" / "python" / "src")}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environ, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


def test_an_answer_of_another_server_is_called_so() -> None:
    for steps in (health(PATIENCE), model_list(PATIENCE)):
        with pytest.raises(UnexpectedAnswer, match="has no"):
            run(steps, lambda _call: reply({"hello": "world"}))
    with pytest.raises(UnexpectedAnswer, match="not an object"):
        run(model_list(PATIENCE), lambda _call: reply([1]))
