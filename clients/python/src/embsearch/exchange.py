"""Requests and answers without a transport. An operation is a generator: it yields what must be done, is sent what came
of it, and returns its result. The two clients do the same steps, one with threads, the other with asyncio.
"""

import json
import random
import time
from collections.abc import Callable, Collection, Generator, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, NoReturn, TypeVar

from embsearch.errors import ApiError, EmbsearchError, RateLimited, UnexpectedAnswer, Unreachable, error_of

T = TypeVar("T")
_LEAST_PAUSE_SECONDS, _MOST_PAUSE_SECONDS = 0.25, 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One HTTP request."""

    method: str
    path: str
    body: bytes | None = None
    query: Mapping[str, str | int] | None = None
    timeout_seconds: float = 0.0
    """Of this try; set when it is sent."""
    key: str | None = None
    """The `Idempotency-Key`."""
    once: bool = False
    """A second time it would do something else, so it is sent again only where it was not taken for sure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One HTTP answer."""

    status: int
    headers: Mapping[str, str]
    """Names in small letters."""
    content: bytes

    def json(self) -> dict[str, Any]:
        """The object in the body. Raises UnexpectedAnswer."""
        try:
            body = json.loads(self.content)
        except (ValueError, RecursionError) as error:
            raise UnexpectedAnswer("the body of the answer is not JSON") from error
        if not isinstance(body, dict):
            raise UnexpectedAnswer("the body of the answer is not an object")
        return _Body(body)


class _Body(dict[str, Any]):
    """Another server may answer with JSON of its own."""

    def __missing__(self, key: str) -> NoReturn:
        raise UnexpectedAnswer(f"the answer has no {key!r}")


@dataclass(frozen=True, slots=True)
class Lost:
    """No answer came to a call."""

    reason: str
    was_sent: bool = True


@dataclass(frozen=True, slots=True)
class Pause:
    seconds: float


Steps = Generator[Call | Pause, Reply | Lost | None, T]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a call is tried. A request of this API that is sent twice changes nothing then,
    but for those that are sent `once`."""

    timeout_seconds: float
    """Of one try; longer than the 30 s that the service takes at most for texts to embed."""
    retries: int
    deadline_seconds: float
    """Of all tries of one request, their pauses included."""
    clock: Callable[[], float] = time.monotonic
    random: Callable[[], float] = random.random


def encoded(body: Mapping[str, Any]) -> bytes:
    """Raises ValueError for what JSON in UTF-8 cannot hold: NaN, an unpaired surrogate."""
    return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def post(path: str, body: Mapping[str, Any]) -> Call:
    """Fields that are None are left out."""
    return Call(method="POST", path=path, body=encoded({key: v for key, v in body.items() if v is not None}))


def put(path: str, body: Mapping[str, Any]) -> Call:
    """Fields that are None are left out."""
    return replace(post(path, body), method="PUT")


def get(path: str, **query: str | int | None) -> Call:
    """Parameters that are None are left out."""
    return Call(method="GET", path=path, query={key: v for key, v in query.items() if v is not None})


def answered(call: Call, patience: Patience, also_good: Collection[int] = ()) -> Steps[Reply]:
    """A good answer to the call, or one with a status of `also_good`. Tries again what may be tried again. Raises
    ApiError, Unreachable."""
    give_up = patience.clock() + patience.deadline_seconds
    for tries in count(1):
        left = give_up - patience.clock()
        reply = yield replace(call, timeout_seconds=min(patience.timeout_seconds, max(left, 0.001)))
        if isinstance(reply, Reply) and (reply.status < 400 or reply.status in also_good):
            if 300 <= reply.status < 400:
                raise UnexpectedAnswer(f"the answer has status {reply.status}; the URL must be that of the service")
            return reply
        error = _error(reply)
        if not _may_be_sent_again(call, reply, error):
            raise error
        yield from _rest(error, tries, patience, give_up)
    raise AssertionError("unreachable")


def answered_whole(ask: Callable[[Patience], Steps[Iterable[ApiError]]], patience: Patience) -> Steps[None]:
    """Asks for many items until none of them fails; `ask` makes a request, and gives the errors of those that do. What
    may succeed later is tried again as a request of its own would be, and as often. Raises the first error that stays.
    """
    give_up = patience.clock() + patience.deadline_seconds
    tries = 0
    while True:
        seconds = max(give_up - patience.clock(), 0.001)
        left = replace(patience, retries=patience.retries - tries, deadline_seconds=seconds)
        failed, again = yield from _counted(ask(left))
        # A request that failed as a whole was tried again too.
        tries += 1 + again
        if not failed:
            return
        error = next((one for one in failed if not one.retryable), failed[0])
        if not error.retryable:
            raise error
        yield from _rest(error, tries, patience, give_up)


def _counted(steps: Steps[Iterable[ApiError]]) -> Steps[tuple[list[ApiError], int]]:
    """What the steps give, and how often they paused."""
    pauses = 0
    given: Reply | Lost | None = None
    while True:
        try:
            step = steps.send(given)
        except StopIteration as end:
            return list(end.value), pauses
        pauses += isinstance(step, Pause)
        given = yield step


def _rest(error: EmbsearchError, tries: int, patience: Patience, give_up: float) -> Steps[None]:
    """The pause before the next try. Raises the error when there is none."""
    pause = _pause(error, tries, patience.random())
    if tries > patience.retries or patience.clock() + pause > give_up:
        raise error
    yield Pause(pause)


def _error(reply: Reply | Lost | None) -> EmbsearchError:
    if isinstance(reply, Reply):
        return error_of(reply.status, reply.headers, reply.content)
    return Unreachable(reply.reason if reply else "no answer came")


def _may_be_sent_again(call: Call, reply: Reply | Lost | None, error: EmbsearchError) -> bool:
    if call.once:
        return isinstance(error, RateLimited) or (isinstance(reply, Lost) and not reply.was_sent)
    return error.retryable if isinstance(error, ApiError) else True


def _pause(error: EmbsearchError, tries: int, share: float) -> float:
    """Seconds before the next try: never less than the service asked for, and different for each of many clients."""
    asked = error.retry_after if isinstance(error, ApiError) else None
    backoff: float = min(_MOST_PAUSE_SECONDS, _LEAST_PAUSE_SECONDS * 2 ** min(tries, 10))
    if asked is None:
        return backoff * (0.5 + share / 2)
    return asked + share * min(backoff, max(asked, _LEAST_PAUSE_SECONDS))
