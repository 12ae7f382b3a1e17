"""The requests that the current thread works for: set where work begins, read by every log line and message."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from embedding_project.contracts.origins import Origin, Origins
from embedding_project.observing import tracing

_SHOWN = 4
"""A log line names so many requests, and the number of the others."""
_NONE = "-"
_origins: ContextVar[Origins] = ContextVar("origins", default=())


@contextmanager
def serving(origins: Origins) -> Iterator[None]:
    """What happens inside the block is done for the requests given."""
    token = _origins.set(origins)
    try:
        yield
    finally:
        _origins.reset(token)


def current_origins() -> Origins:
    """The requests worked for, with the span that is open now, for a message that asks others to do a part of it."""
    origins = _origins.get()
    parent = tracing.current_traceparent()
    return tuple(Origin(origin.request_id, parent) for origin in origins) if parent else origins


def shown_requests() -> str:
    """The ids of the requests as log lines show them: joined by commas, `-` for none."""
    origins = _origins.get()
    if not origins:
        return _NONE
    shown = ",".join(origin.request_id for origin in origins[:_SHOWN])
    return shown if len(origins) <= _SHOWN else f"{shown},+{len(origins) - _SHOWN}"
