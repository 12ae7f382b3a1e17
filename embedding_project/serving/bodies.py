"""The body of a request while it arrives: bounded in size and time, read outside of the turns, never left half read.

Granian's own `read` waits for the client without end. A view that asks for the body gets all of it from here. What no
view asked for is read and dropped before the answer goes out, or the answer says that the connection closes: otherwise
its rest would be taken for the next request.
"""

import threading
import time
from collections.abc import Callable
from io import BytesIO
from typing import Any, Protocol
from wsgiref.types import StartResponse, WSGIEnvironment

from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.limits import BODY_DEADLINE_SECONDS, DRAINS_AT_ONCE, MAX_BODY_BYTES
from embedding_project.threads.turns import Turns, request_turns

_DRAIN_SECONDS = 2.0
_PIECE_BYTES = 64 * 1024
_drains = threading.Semaphore(DRAINS_AT_ONCE)


class Stream(Protocol):
    def read(self, size: int, /) -> bytes:
        """Exactly `size` bytes; fewer when the body or the connection ends."""


class ArrivingBody:
    """Stands in the place of `wsgi.input`. The first call reads the whole body."""

    def __init__(
        self,
        stream: Stream,
        length: int | None,
        *,
        invited: bool = False,
        turns: Turns = request_turns,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`length` is None when chunks tell it. `invited`: the client sends the body once somebody reads."""
        self._stream = stream
        self._length = length
        self._invited = invited
        self._turns = turns
        self._monotonic = monotonic
        self._whole: BytesIO | None = None
        self._ended = False
        self.failure: InvalidRequest | None = None
        """Why the body could not be read."""

    def read(self, size: int = -1) -> bytes:
        """Raises InvalidRequest (body_timeout, body_too_large, invalid_json), at each call again."""
        return self._arrived().read(size)

    def readline(self, size: int = -1) -> bytes:
        return self._arrived().readline(size)

    def settle(self) -> bool:
        """Read what is left, within bounds. False: the connection must close, since bytes of the body are to come."""
        if self._ended or self.failure or self._invited or (self._length or 0) > MAX_BODY_BYTES:
            return self._ended
        if _drains.acquire(blocking=False):
            try:
                self._read(_DRAIN_SECONDS, lambda _: None)
            finally:
                _drains.release()
        return self._ended

    def _arrived(self) -> BytesIO:
        if self.failure is None and self._whole is None:
            self._fetch()
        if self.failure is not None:
            raise self.failure
        assert self._whole is not None
        return self._whole

    def _fetch(self) -> None:
        pieces: list[bytes] = []
        began = self._monotonic()
        size = self._read(BODY_DEADLINE_SECONDS, pieces.append)
        if size > MAX_BODY_BYTES:
            self.failure = InvalidRequest("body_too_large")
        elif self._monotonic() - began > BODY_DEADLINE_SECONDS and not (self._ended and self._length):
            self.failure = InvalidRequest("body_timeout")
        elif not self._ended:
            self.failure = InvalidRequest("invalid_json", "the body is shorter than its Content-Length")
        else:
            self._whole = BytesIO(pieces[0] if len(pieces) == 1 else b"".join(pieces))

    def _read(self, seconds: float, keep: Callable[[bytes], Any]) -> int:
        """Read until the end, the deadline, or one byte more than a body may have; gives how many were read."""
        want = MAX_BODY_BYTES + 1 if self._length is None else min(self._length, MAX_BODY_BYTES + 1)
        size = 0
        until = self._monotonic() + seconds
        with self._turns.away():
            while size < want:
                asked = min(_PIECE_BYTES, want - size)
                piece = self._stream.read(asked)
                keep(piece)
                size += len(piece)
                if len(piece) < asked:
                    self._ended = self._length is None
                    return size
                if self._monotonic() > until:
                    break
        self._ended = size == self._length
        return size


def take_body(environ: WSGIEnvironment, start_response: StartResponse) -> StartResponse:
    """Put an ArrivingBody into `environ`, if there is a body; gives what to call in place of `start_response`."""
    announced = environ.get("CONTENT_LENGTH", "")
    chunked = "HTTP_TRANSFER_ENCODING" in environ
    if not chunked and announced in ("", "0"):
        return start_response
    length = (
        None if chunked else int(announced) if announced.isdecimal() and len(announced) < 20 else MAX_BODY_BYTES + 1
    )
    body = ArrivingBody(environ["wsgi.input"], length, invited="HTTP_EXPECT" in environ)
    if chunked:
        # Django reads no further than this; the body itself knows its end.
        environ["CONTENT_LENGTH"] = str(MAX_BODY_BYTES)
    environ["wsgi.input"] = body

    def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Callable[[bytes], object]:
        if not body.settle():
            headers = [*headers, ("Connection", "close")]
        return start_response(status, headers, *rest)

    return start
