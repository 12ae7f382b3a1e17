"""Rounds of one search: once with a few more hits than wanted, once more with a wider net when too few of them held."""

from collections.abc import Callable
from dataclasses import dataclass

from django.db import InterfaceError, OperationalError

from embedding_project.contracts.errors import ServiceError
from embeddings_app.services.search.hydration import SearchHit

_WIDER = 4
_SHORTEST_ROUND_SECONDS = 0.05
"""With less time than this a second round would only be late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one fan-out brought."""

    hits: list[SearchHit]
    """Those that hold, nearest first."""
    shards: int
    failed: tuple[int, ...]
    """Numbers of the shards without an answer, in order."""
    may_have_more: bool
    """Whether a shard returned as many hits as it was asked for."""


def best_round(ask: Callable[[int], Round], top_k: int, spare: int, seconds_left: Callable[[], float]) -> Round:
    """The better of two rounds; `ask` does one for a number of hits, `spare` of them beyond `top_k`. Raises what the
    first one raises.

    A second round that fails, finds no more or loses a shard leaves the first answer as it is.
    """
    fetch = top_k + spare
    first = ask(fetch)
    if len(first.hits) >= top_k or not first.may_have_more or seconds_left() < _SHORTEST_ROUND_SECONDS:
        return first
    try:
        second = ask(_WIDER * fetch)
    except (ServiceError, OperationalError, InterfaceError):
        return first
    is_better = len(second.hits) > len(first.hits) and set(second.failed) <= set(first.failed)
    return second if is_better else first
