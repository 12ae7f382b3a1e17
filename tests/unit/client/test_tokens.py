"""Read your writes in the Python client: which tokens a search waits for, and when they are forgotten."""

import json
from typing import Any

import pytest
from embsearch import Document
from embsearch.exchange import Call, Reply
from embsearch.namespace_steps import NamespaceSteps
from embsearch.tokens import MOST_TOKENS, Tokens

from tests.unit.client.scripted import PATIENCE, reply, run

HITS = {
    "hits": [],
    "partial": False,
    "shards": {"total": 1, "ok": 1, "failed": []},
    "timings_ms": {},
    "model_id": "m",
    "model_version": 1,
}


def expired(place: int) -> dict[str, Any]:
    return {"error": {"code": "token_expired", "message": "expired", "field": f"min_token[{place}]"}}


class Service:
    """Gives the tokens in turn, and notes what searches wait for."""

    def __init__(self, state: str = "indexed") -> None:
        self.state, self.tokens, self.expired = state, iter(f"t{number}" for number in range(1000)), set[str]()
        self.searches: list[dict[str, Any]] = []
        self.steps = NamespaceSteps("notes", PATIENCE, Tokens())

    def answer(self, call: Call) -> Reply:
        body = json.loads(call.body or b"{}")
        if call.path == "/v1/search":
            self.searches.append(body)
            tokens = body.get("min_token") or []
            gone = [place for place, token in enumerate(tokens) if token in self.expired]
            return reply(expired(gone[0]), 409) if gone else reply(HITS)
        if call.path == "/v1/search/batch":
            return reply({"results": [HITS]})
        if call.path == "/v1/documents/update":
            return reply({"matched": 1, "updated": 1, "refused": [], "token": next(self.tokens), "next": None})
        results = [{"id": one["id"], "revision": 1, "state": self.state} for one in body["documents"]]
        return reply({"results": results, "token": None if self.state == "pending" else next(self.tokens)})

    def write(self, times: int = 1) -> None:
        for _ in range(times):
            run(self.steps.upsert([Document("1", "a")], wait=None, model_id=None), self.answer)

    def update(self) -> None:
        run(self.steps.update("1", {"a": 1}, (), None), self.answer)

    def waited_for(self, **asked: Any) -> list[Any]:
        """The tokens of each request of one search."""
        self.searches.clear()
        run(self.steps.search({"query": "a", **asked}, read_your_writes=True), self.answer)
        return [body.get("min_token") for body in self.searches]


def test_a_search_waits_once_for_all_writes() -> None:
    service = Service()
    service.write(3)
    assert service.waited_for(top_k=50, exact=True) == [["t0", "t1", "t2"]]
    assert [body.get("top_k") for body in service.searches] == [50]
    assert service.waited_for() == [None]


def test_a_batch_waits_before_it_searches() -> None:
    service = Service()
    service.write(2)
    run(service.steps.search_many([{"query": "a", "top_k": 50}], read_your_writes=True), service.answer)
    assert [(body["min_token"], body["top_k"]) for body in service.searches] == [(["t0", "t1"], 1)]
    assert service.waited_for() == [None]


def test_an_update_covers_what_was_written_before() -> None:
    service = Service()
    service.write(3)
    service.update()
    assert service.waited_for() == [["t3"]]


@pytest.mark.parametrize("state", ["searchable", "pending"])
def test_nothing_is_waited_for_that_is_there_or_has_no_token(state: str) -> None:
    service = Service(state)
    service.write()
    assert service.waited_for() == [None]


def test_a_token_of_an_earlier_log_is_forgotten() -> None:
    service = Service()
    service.write(3)
    service.expired = {"t0", "t1"}
    assert service.waited_for() == [["t0", "t1", "t2"], ["t1", "t2"], ["t2"]]
    assert service.waited_for() == [None]


def test_a_search_of_another_version_leaves_the_token_to_others() -> None:
    service = Service()
    service.write()
    service.expired = {"t0"}
    assert service.waited_for(model_version=2) == [["t0"], None]
    service.expired = set()
    assert service.waited_for() == [["t0"]]


def test_a_search_by_words_leaves_the_tokens_to_others() -> None:
    service = Service()
    service.write()
    assert service.waited_for(mode="text") == [None]
    assert service.waited_for() == [["t0"]]


def test_a_token_of_the_caller_is_the_only_one() -> None:
    service = Service()
    service.write(2)
    assert service.waited_for(min_token=["mine"]) == [["mine"]]
    assert service.waited_for() == [["t0", "t1"]]


def test_the_tokens_that_wait_are_bounded() -> None:
    service = Service()
    service.write(MOST_TOKENS + 5)
    (tokens,) = service.waited_for()
    assert len(tokens) == MOST_TOKENS
