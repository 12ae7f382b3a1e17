"""The origins of a message: the requests that need its work, for log lines and traces."""

from collections.abc import Iterable
from typing import NamedTuple

MAX_ORIGINS = 64
"""A message names at most so many of its requests."""


class Origin(NamedTuple):
    request_id: str
    traceparent: str = ""
    """The span of the work, in the form of W3C Trace Context; empty without tracing."""


Origins = tuple[Origin, ...]
NOBODY = Origin("")
"""The origin of work without a request, or without a known one."""


def distinct(origins: Iterable[Origin]) -> Origins:
    """Each known origin once, in their order, up to the limit of a message."""
    return tuple(dict.fromkeys(origin for origin in origins if origin != NOBODY))[:MAX_ORIGINS]


def origins_from_wire(wire: Iterable[tuple[str, str]]) -> Origins:
    """Raises TypeError or ValueError when `wire` is not pairs of texts."""
    origins = tuple(Origin(request_id, traceparent) for request_id, traceparent in wire)
    if not all(isinstance(part, str) for origin in origins for part in origin):
        raise TypeError("an origin is two texts")
    return origins
