"""What goes out in several requests is what the caller gave, whatever becomes of its own lists meanwhile."""

import json
from typing import Any

import pytest
from embsearch import Document
from embsearch.exchange import Call, Reply
from embsearch.namespace_steps import NamespaceSteps
from embsearch.tokens import Tokens

from tests.unit.client.scripted import PATIENCE, reply, run

MANY = 300


def test_what_the_caller_changes_between_two_requests_is_not_written() -> None:
    tags, sent = ["as given"], list[dict[str, Any]]()

    def answer(call: Call) -> Reply:
        tags[0] = "changed"
        documents = json.loads(call.body or b"")["documents"]
        sent.extend(documents)
        return reply({"results": [{"id": one["id"], "revision": 1, "state": "pending"} for one in documents]} | TOKEN)

    given = [{"id": str(number), "text": "a", "metadata": {"tags": tags}} for number in range(MANY)]
    others = [Document(f"d{number}", "a", {"tags": tags}) for number in range(MANY)]
    run(steps().upsert([*given, *others], wait=None, model_id=None), answer)
    assert len(sent) == 2 * MANY
    assert {tuple(one["metadata"]["tags"]) for one in sent} == {("as given",)}


def test_nothing_is_written_when_one_of_the_last_documents_is_no_json() -> None:
    calls: list[Call] = []

    def answer(call: Call) -> Reply:
        calls.append(call)
        return reply({"results": []} | TOKEN)

    scores = [1.0] * (MANY - 1) + [float("nan")]
    given = [{"id": str(number), "metadata": {"score": score}} for number, score in enumerate(scores)]
    with pytest.raises(ValueError, match="JSON"):
        run(steps().upsert(given, wait=None, model_id=None), answer)
    assert calls == []


def test_all_pages_of_a_change_by_filter_have_one_filter_and_one_change() -> None:
    wanted, tags, sent = ["en"], ["as given"], list[dict[str, Any]]()

    def answer(call: Call) -> Reply:
        wanted[0], tags[0] = "de", "changed"
        sent.append(json.loads(call.body or b""))
        done = {
            "matched": 1,
            "updated": 1,
            "deleted": 1,
            "refused": [],
            "next": None if len(sent) % 2 == 0 else "cursor",
        }
        return reply(done | TOKEN)

    run(steps().update({"lang": {"in": wanted}}, {"tags": tags}, (), None), answer)
    assert [one["filters"] for one in sent] == [{"lang": {"in": ["en"]}}] * 2
    assert [one["set"] for one in sent] == [{"tags": ["as given"]}] * 2
    run(steps().delete({"lang": {"in": wanted}}, dry_run=False), answer)
    assert [one["filters"] for one in sent[2:]] == [{"lang": {"in": ["de"]}}] * 2


TOKEN = {"token": "t"}


def steps() -> NamespaceSteps:
    return NamespaceSteps("notes", PATIENCE, Tokens())
