"""JSON of somebody else may be nested deeper than a parser goes: readers say what they say of any other nonsense."""

import json
from pathlib import Path

import httpx
import pytest
from embsearch import Unavailable, UnexpectedAnswer
from embsearch.cli.conditions import condition
from embsearch.errors import error_of
from embsearch.exchange import Reply
from embsearch.migrate.carrying import LeftOut
from embsearch.migrate.pgvector import dense
from embsearch.testing import FakeServer
from embsearch.upload.checkpoint import Checkpoint

DEEP = "[" * 100_000


def test_a_condition_of_deep_json_compares_a_text() -> None:
    assert condition(f"path={DEEP}").to_json() == {"path": {"eq": DEEP}}


def test_an_answer_of_deep_json_is_unexpected() -> None:
    with pytest.raises(UnexpectedAnswer, match="not JSON"):
        Reply(status=200, headers={}, content=DEEP.encode()).json()
    error = error_of(503, {}, DEEP.encode())
    assert (type(error), error.status) == (Unavailable, 503)


@pytest.mark.parametrize("told", [DEEP, "[1, 2", "[null]", '["1"]', "[NaN]", f"[1{'0' * 400}]", f"[1{'0' * 5000}]"])
def test_a_vector_that_is_none_is_left_out(told: str) -> None:
    left_out = LeftOut()
    assert dense(told, "embedding", left_out) is None
    assert left_out.lines() == ["1 x embedding: no list of finite numbers"]
    assert dense("[1,-2.5,3e2]", "embedding", left_out) == [1.0, -2.5, 300.0]


def test_a_file_of_deep_json_is_no_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "load.ckpt"
    path.write_text(f"{DEEP}\n")
    with pytest.raises(ValueError, match="no checkpoint of a load"):
        Checkpoint(path, {})


def test_the_double_refuses_a_body_of_deep_json() -> None:
    server = FakeServer()
    with httpx.Client(transport=server.transport, base_url="http://fake") as client:
        answer = client.post("/v1/search", content=DEEP.encode())
    assert (answer.status_code, json.loads(answer.content)["error"]["code"]) == (400, "invalid_json")
