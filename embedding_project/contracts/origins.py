"""Whose work a message carries: the requests that asked for it, for log lines and traces."""

from collections.abc import Iterable
from typing import NamedTuple

MAX_ORIGINS = 64
"""A message names at most so many of the requests it serves."""


class Origin(NamedTuple):
    request_id: str
    traceparent: str = ""
    """The span to which the work belongs, in the form of W3C Trace Context; empty when it is not traced."""


Origins = tuple[Origin, ...]
NOBODY = Origin("")
"""Of work that no request asked for, or none that is known."""


def distinct(origins: Iterable[Origin]) -> Origins:
    """Each known one of `origins` once, in order, cut off at the limit of a message."""
    return tuple(dict.fromkeys(origin for origin in origins if origin != NOBODY))[:MAX_ORIGINS]


def origins_from_wire(wire: Iterable[tuple[str, str]]) -> Origins:
    """Raises TypeError or ValueError for anything but pairs of texts."""
    origins = tuple(Origin(request_id, traceparent) for request_id, traceparent in wire)
    if not all(isinstance(part, str) for origin in origins for part in origin):
        raise TypeError("an origin is two texts")
    return origins
