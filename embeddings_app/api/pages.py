"""Pages and files for people: the admin, the console, the documentation, what they load.

They need no key, so they have few places. A file goes out piece by piece, at the client's pace, and keeps its thread
and its place until the last one.
"""

import time
from collections.abc import Callable, Iterator
from typing import cast

from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase

from embedding_project.contracts.errors import InvalidRequest
from embeddings_app.api.admission import SharedSlots

PAGE_PATHS = ("/admin/", "/console/", "/static/")
_SEND_SECONDS = 60.0
"""A file that is not sent by then breaks off."""


def answer_page(
    request: HttpRequest, get_response: Callable[[HttpRequest], HttpResponseBase], places: SharedSlots, address: str
) -> HttpResponseBase:
    """The page or file, made while holding a place. Raises ServiceError: no place is free, or no form arrived."""
    places.take(address)
    kept = False
    try:
        response = get_response(request)
        failure: InvalidRequest | None = getattr(request.META["wsgi.input"], "failure", None)
        if failure is not None:
            response.close()
            raise failure
        if isinstance(response, StreamingHttpResponse):
            pieces = cast(Iterator[bytes], response.streaming_content)
            response.streaming_content = _Sending(pieces, lambda: places.give(address))
            kept = True
        return response
    finally:
        if not kept:
            places.give(address)


class _Sending:
    """Pieces of a file; the response closes it with itself, sent or not."""

    def __init__(self, pieces: Iterator[bytes], done: Callable[[], None]) -> None:
        self._pieces = pieces
        self._done = done
        self._until = time.monotonic() + _SEND_SECONDS

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if time.monotonic() > self._until:
            raise StopIteration
        return next(self._pieces)

    def close(self) -> None:
        self._done()
