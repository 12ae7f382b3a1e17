"""Retries of the Python client: what is tried again, when, and for how long. No server, and no clock, has to wait."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from embsearch import (
    ApiError,
    Conflict,
    Forbidden,
    InvalidRequest,
    NotFound,
    RateLimited,
    Unauthenticated,
    Unavailable,
    UnexpectedAnswer,
    Unreachable,
)
from embsearch.errors import error_of, item_error
from embsearch.exchange import Call, Lost, Patience, Pause, Reply, answered
from embsearch.transport import headers_of

from embedding_project.contracts.errors import ERROR_KINDS

CALL = Call(method="GET", path="/v1/models")
GOOD = Reply(status=200, headers={}, content=b"{}")


def refusal(status: int, code: str = "overloaded", **headers: str) -> Reply:
    body = {"error": {"code": code, "message": "said", "field": "top_k"}}
    return Reply(status=status, headers=headers, content=json.dumps(body).encode())


@dataclass
class Server:
    """Answers from a list, and moves the clock by what was paused."""

    answers: list[Reply | Lost]
    call: Call = CALL
    now: float = 0.0
    pauses: list[float] = field(default_factory=list)
    timeouts: list[float] = field(default_factory=list)

    def ask(self, *, retries: int = 6, deadline: float = 100.0, share: float = 0.5) -> Reply:
        patience = Patience(
            timeout_seconds=30.0,
            retries=retries,
            deadline_seconds=deadline,
            clock=lambda: self.now,
            random=lambda: share,
        )
        steps = answered(self.call, patience)
        given: Reply | Lost | None = None
        try:
            while True:
                step = steps.send(given)
                given = None
                if isinstance(step, Pause):
                    self.pauses.append(step.seconds)
                    self.now += step.seconds
                else:
                    self.timeouts.append(step.timeout_seconds)
                    given = self.answers.pop(0)
        except StopIteration as end:
            reply: Reply = end.value
            return reply


def test_a_good_answer_is_asked_for_once() -> None:
    server = Server([GOOD])
    assert server.ask() is GOOD
    assert (server.pauses, server.timeouts) == ([], [30.0])


@pytest.mark.parametrize("lost", [refusal(429), refusal(503), refusal(500), refusal(502), Lost("reset")])
def test_what_may_succeed_later_is_tried_again(lost: Reply | Lost) -> None:
    server = Server([lost, lost, GOOD])
    assert server.ask() is GOOD
    assert 0 < server.pauses[0] < server.pauses[1]


@pytest.mark.parametrize("share", [0.0, 0.5, 0.999])
def test_it_never_comes_back_before_it_was_told_to(share: float) -> None:
    server = Server([refusal(429, **{"retry-after": "7"}), GOOD])
    server.ask(share=share)
    assert 7.0 <= server.pauses[0] < 14.0


def test_clients_that_were_refused_together_come_back_apart() -> None:
    pauses = set()
    for share in (0.0, 0.3, 0.9):
        server = Server([refusal(429, **{"retry-after": "2"}), GOOD])
        server.ask(share=share)
        pauses.add(server.pauses[0])
    assert len(pauses) == 3


def test_it_gives_up_when_the_next_try_would_come_after_the_deadline() -> None:
    server = Server([refusal(429, **{"retry-after": "60"})])
    with pytest.raises(RateLimited) as caught:
        server.ask(deadline=50.0)
    assert caught.value.retry_after == 60.0
    assert server.pauses == []


def test_the_last_tries_have_less_time_each() -> None:
    server = Server([refusal(503, **{"retry-after": "20"}), GOOD])
    server.ask(deadline=35.0, share=0.0)
    assert server.timeouts == [30.0, 15.0]


def test_it_gives_up_after_the_last_retry() -> None:
    server = Server([Lost("refused")] * 4)
    with pytest.raises(Unreachable, match="refused"):
        server.ask(retries=3)
    assert len(server.pauses) == 3


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequest),
        (401, Unauthenticated),
        (403, Forbidden),
        (404, NotFound),
        (405, InvalidRequest),
        (409, Conflict),
        (413, InvalidRequest),
    ],
)
def test_what_cannot_succeed_is_not_tried_again(status: int, kind: type[ApiError]) -> None:
    server = Server([refusal(status, "some_code", **{"x-request-id": "r-1"})])
    with pytest.raises(kind) as caught:
        server.ask()
    error = caught.value
    assert (error.code, error.field, error.message, error.status) == ("some_code", "top_k", "said", status)
    assert error.request_id == "r-1"
    assert server.pauses == []


@pytest.mark.parametrize("code", ERROR_KINDS)
def test_it_tries_again_what_the_service_calls_retryable(code: str) -> None:
    kind = ERROR_KINDS[code]
    server = Server([refusal(kind.status, code), GOOD])
    asked: Callable[[], Reply] = server.ask
    if kind.retryable:
        assert asked() is GOOD
    else:
        with pytest.raises(ApiError):
            asked()


def test_a_key_goes_out_as_a_header() -> None:
    assert headers_of(CALL) == {}
    assert headers_of(replace(CALL, key="k")) == {"Idempotency-Key": "k"}


ONCE = Call(method="POST", path="/v1/upsert", once=True)


@pytest.mark.parametrize("lost", [refusal(429), Lost("refused", was_sent=False)])
def test_what_must_not_come_twice_is_sent_again_when_it_was_not_taken(lost: Reply | Lost) -> None:
    assert Server([lost, GOOD], ONCE).ask() is GOOD


@pytest.mark.parametrize(("lost", "raised"), [(refusal(503), Unavailable), (Lost("reset"), Unreachable)])
def test_what_must_not_come_twice_is_not_sent_again_when_it_may_have_been_taken(
    lost: Reply | Lost, raised: type[Exception]
) -> None:
    server = Server([lost, GOOD], ONCE)
    with pytest.raises(raised):
        server.ask()
    assert server.pauses == []


def test_an_answer_of_a_proxy_is_an_error_too() -> None:
    with pytest.raises(Unavailable, match="status 502"):
        Server([Reply(status=502, headers={}, content=b"<html>")] * 9).ask(retries=1)


def test_a_redirect_is_no_answer() -> None:
    with pytest.raises(UnexpectedAnswer, match="301"):
        Server([Reply(status=301, headers={}, content=b"")]).ask()


@pytest.mark.parametrize("code", ERROR_KINDS)
def test_the_error_of_an_item_is_that_of_a_request_with_its_code(code: str) -> None:
    body = {"code": code, "message": "refused", "field": "query"}
    alone = error_of(ERROR_KINDS[code].status, {}, json.dumps({"error": body}).encode())
    item = item_error(body)
    assert (type(item), item.code, item.status, item.field) == (type(alone), code, alone.status, "query")
    assert item.retryable == ERROR_KINDS[code].retryable
