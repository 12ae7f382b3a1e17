"""Bodies while they arrive: whole or refused, and never left half read."""

import io
import threading
from collections.abc import Callable
from typing import Any

import pytest

from embedding_project.contracts.limits import BODY_DEADLINE_SECONDS, DRAINS_AT_ONCE, MAX_BODY_BYTES
from embedding_project.serving.bodies import ArrivingBody, take_body
from embedding_project.threads.turns import Turns
from tests.unit.api.refusals import refusal


class SlowStream(io.BytesIO):
    """Each read takes `seconds` of its own clock."""

    def __init__(self, content: bytes, seconds: float = 0.0) -> None:
        super().__init__(content)
        self._seconds = seconds
        self.now = 0.0

    def read(self, size: int | None = -1, /) -> bytes:
        self.now += self._seconds
        return super().read(size)


def body(stream: SlowStream, length: int | None) -> ArrivingBody:
    return ArrivingBody(stream, length, monotonic=lambda: stream.now)


@pytest.mark.parametrize("size", [1, 65_535, 65_536, 65_537, 200_000, MAX_BODY_BYTES])
@pytest.mark.parametrize("chunked", [True, False])
def test_a_body_is_read_whole(size: int, chunked: bool) -> None:
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    arriving = body(SlowStream(content), None if chunked else size)
    assert arriving.read(1) + arriving.readline() + arriving.read() == content
    assert arriving.settle()


@pytest.mark.parametrize("length", [100_000, None])
def test_a_body_that_is_late_is_given_up(length: int | None) -> None:
    late = body(SlowStream(b"x" * 99_999, BODY_DEADLINE_SECONDS), length)
    for _ in range(2):
        assert refusal(late.read)[0] == "body_timeout"


def test_a_body_that_is_cut_short_is_no_body() -> None:
    short = body(SlowStream(b"{}"), 3)
    assert refusal(short.read)[0] == "invalid_json"
    assert not short.settle()


def test_more_than_a_body_may_have_is_not_read() -> None:
    stream = SlowStream(b"x" * (2 * MAX_BODY_BYTES))
    endless = body(stream, None)
    assert refusal(endless.read)[0] == "body_too_large"
    assert stream.tell() == MAX_BODY_BYTES + 1
    assert not endless.settle()


def test_who_waits_for_a_body_leaves_the_turn_to_others() -> None:
    turns = Turns(at_once=1, patience_seconds=30)
    computed = threading.Event()

    def compute() -> None:
        with turns.turn():
            computed.set()

    class Waiting(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            threading.Thread(target=compute).start()
            assert computed.wait(5)
            return super().read(size)

    with turns.turn():
        assert ArrivingBody(Waiting(b"abc"), 3, turns=turns).read() == b"abc"


def _answer(stream: SlowStream, *, is_read: bool = False, **environ: str) -> dict[str, str]:
    """The headers of an answer to a request with that body, and whether the application reads it before it answers."""
    told: list[list[tuple[str, str]]] = []

    def start_response(_status: str, headers: list[tuple[str, str]], *_: object) -> Callable[[bytes], object]:
        told.append(headers)
        return lambda _: None

    request: dict[str, Any] = {"wsgi.input": stream, **environ}
    start = take_body(request, start_response)
    if is_read:
        request["wsgi.input"].read()
    start("404 Not Found", [])
    return dict(told[0])


def test_the_rest_is_read_before_the_answer_or_the_connection_closes() -> None:
    stream = SlowStream(b"x" * 1_000_000 + b"next request")
    assert _answer(stream, CONTENT_LENGTH="1000000") == {}
    assert stream.read() == b"next request"
    assert _answer(SlowStream(b"x" * 99_999), CONTENT_LENGTH="100000") == {"Connection": "close"}
    assert not body(SlowStream(b"x" * 900_000, seconds=1.1), 900_000).settle()
    untouched = SlowStream(b"x")
    assert _answer(untouched, CONTENT_LENGTH=str(MAX_BODY_BYTES + 1)) == {"Connection": "close"}
    assert _answer(untouched, CONTENT_LENGTH="1", HTTP_EXPECT="100-continue") == {"Connection": "close"}
    assert untouched.tell() == 0


def test_a_request_without_a_body_and_one_that_was_read_stay_as_they_are() -> None:
    assert _answer(SlowStream(b"next request")) == {}
    assert _answer(SlowStream(b"{}"), is_read=True, CONTENT_LENGTH="2") == {}


def test_few_answers_at_a_time_wait_for_a_rest() -> None:
    go_on = threading.Event()
    waiting = threading.Semaphore(0)

    class Held(SlowStream):
        def read(self, size: int | None = -1, /) -> bytes:
            waiting.release()
            assert go_on.wait(10)
            return super().read(size)

    threads = [threading.Thread(target=lambda: _answer(Held(b"x"), CONTENT_LENGTH="1")) for _ in range(DRAINS_AT_ONCE)]
    for thread in threads:
        thread.start()
        assert waiting.acquire(timeout=10)
    assert _answer(SlowStream(b"x"), CONTENT_LENGTH="1") == {"Connection": "close"}
    go_on.set()
    for thread in threads:
        thread.join()
