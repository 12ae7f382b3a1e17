"""The journal: what it keeps, and what it writes down."""

import json
from pathlib import Path

from tests.chaos.history import Answered, Asked, Journal, Kind, Outcome
from tests.unit.chaos.scenes import get, operation, search, seen, upsert

ASKED = Asked(kind=Kind.GET, namespace="red", limit_seconds=10, doc_id="a")


def test_every_request_is_written_down_before_and_after(tmp_path: Path) -> None:
    with Journal(tmp_path / "history.jsonl") as journal:
        assert journal.invoke("client-0", ASKED, 1.0) == 1
        journal.complete(operation(ASKED, Answered(status=200, seen=(seen("a", 3),)), 1.0, 1.5))
        assert journal.invoke("client-0", ASKED, 2.0) == 2
    lines = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines] == ["invoke", "ok", "invoke"]
    assert lines[0] == {
        "event": "invoke",
        "number": 1,
        "client": "client-0",
        "at": 1.0,
        "kind": "get",
        "namespace": "red",
        "limit_seconds": 10,
        "doc_id": "a",
    }
    assert lines[1]["seen"][0]["version"] == 3


def test_only_what_cannot_have_happened_counts_as_failed() -> None:
    outcomes = {status: upsert("a", 1, 0, 1, status=status).outcome for status in (200, 400, 429, 500, 503, 0)}
    assert outcomes == {
        200: Outcome.OK,
        400: Outcome.FAIL,
        429: Outcome.FAIL,
        500: Outcome.INFO,
        503: Outcome.INFO,
        0: Outcome.INFO,
    }


def test_the_rate_counts_what_was_served_in_the_time(tmp_path: Path) -> None:
    with Journal(tmp_path / "history.jsonl") as journal:
        for done in (
            search(0, 1),
            search(3, 4.5),
            search(3, 4.5),
            get(4, 5, "a"),
            upsert("a", 1, 4, 5, status=503),
            search(5, 9),
            search(3, 4.5, client="client-1"),
        ):
            journal.complete(done)
        assert journal.rate(4, 8) == 3 / 4
