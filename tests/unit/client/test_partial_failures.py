"""One of many items may fail for a reason that passes: it is tried again as a request of its own would be."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from embsearch import InvalidRequest, Unavailable
from embsearch.exchange import Call, Reply
from embsearch.namespace_steps import NamespaceSteps
from embsearch.text_steps import vectors
from embsearch.tokens import Tokens

from tests.unit.client.scripted import PATIENCE, reply, run
from tests.unit.client.test_tokens import HITS


class Searches:
    """Answers each query as `outcome` says, and notes what each request asked for."""

    def __init__(self, outcome: Callable[[str, int], str]) -> None:
        self.asked: list[list[str]] = []
        self._outcome = outcome
        self._steps = NamespaceSteps("notes", PATIENCE, Tokens())

    def answer(self, call: Call) -> Reply:
        queries = [one["query"] for one in json.loads(call.body or b"")["searches"]]
        self.asked.append(queries)
        return reply({"results": [self._result(query) for query in queries]})

    def _result(self, query: str) -> dict[str, Any]:
        code = self._outcome(query, len(self.asked))
        error = {"error": {"code": code, "message": "said", "field": "query"}}
        return error if code else {**HITS, "hits": [{"id": query, "score": 1.0}]}

    def many(self, *queries: str, answer: Callable[[Call], Reply] | None = None) -> list[str]:
        found = self._steps.search_many([{"query": query} for query in queries], read_your_writes=False)
        return [hits[0].id for hits in run(found, answer or self.answer)]


def test_searches_that_fail_for_a_moment_are_asked_again_alone() -> None:
    searches = Searches(lambda query, tries: "index_unavailable" if query in "bd" and tries == 1 else "")
    assert searches.many(*"abcd") == list("abcd")
    assert searches.asked == [list("abcd"), ["b", "d"]]


def test_a_search_that_goes_on_failing_ends_all_after_the_last_try() -> None:
    searches = Searches(lambda query, _: "too_slow" if query == "b" else "")
    with pytest.raises(Unavailable) as caught:
        searches.many(*"abc")
    assert caught.value.code == "too_slow"
    assert searches.asked == [list("abc")] + [["b"]] * PATIENCE.retries


def test_requests_that_fail_and_searches_that_fail_are_tried_as_often_together() -> None:
    searches, requests = Searches(lambda query, _: "too_slow" if query == "b" else ""), list[Call]()

    def busy_now_and_then(call: Call) -> Reply:
        requests.append(call)
        if len(requests) % 2:
            return reply({"error": {"code": "overloaded", "message": "said", "field": None}}, status=503)
        return searches.answer(call)

    with pytest.raises(Unavailable):
        searches.many(*"abc", answer=busy_now_and_then)
    assert len(requests) == PATIENCE.retries + 1


def test_a_search_that_cannot_succeed_ends_all_at_once() -> None:
    searches = Searches(lambda query, _: {"a": "too_slow", "b": "invalid_filter"}.get(query, ""))
    with pytest.raises(InvalidRequest):
        searches.many(*"abc")
    assert len(searches.asked) == 1


class Texts:
    def __init__(self, *failed: str) -> None:
        """`X-Failed` of each answer."""
        self._failed = list(failed)

    def answer(self, call: Call) -> Reply:
        failed = self._failed.pop(0)
        headers = {"x-dimension": "1", **({"x-failed": failed} if failed else {})}
        return Reply(status=200, headers=headers, content=bytes(4 * len(json.loads(call.body or b"")["inputs"])))

    def embed(self, *texts: str) -> int:
        return len(run(vectors(texts, 10, {}, PATIENCE), self.answer))


def test_texts_that_fail_for_a_moment_are_asked_again() -> None:
    assert Texts("1:embedder_unavailable,2:model_error", "2:model_error", "").embed("a", "b", "c") == 3


def test_a_text_that_cannot_be_embedded_is_named_with_its_number_among_all() -> None:
    with pytest.raises(InvalidRequest) as caught:
        Texts("0:model_error,1:empty_input").embed("a", " ")
    assert (caught.value.code, caught.value.field) == ("empty_input", "inputs[11]")
    with pytest.raises(Unavailable) as stays:
        Texts(*["0:model_error"] * (PATIENCE.retries + 1)).embed("a", "b")
    assert (stays.value.code, stays.value.field) == ("model_error", "inputs[10]")
