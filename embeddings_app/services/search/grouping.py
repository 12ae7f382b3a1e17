"""The nearest groups of documents: the best hits of each value of a metadata field.

The index knows no groups. So a search for more hits than are shown is made, and its hits are put into groups; where
these do not suffice, a wider search follows, and at most one more.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.db import InterfaceError, OperationalError

from embedding_project.contracts.census import Value, scalars_of
from embedding_project.contracts.errors import ServiceError
from embedding_project.contracts.limits import MAX_TOP_K, SEARCH_DEADLINE_SECONDS
from embedding_project.contracts.metadata import flatten
from embeddings_app.database.patience import answered_by
from embeddings_app.services.search.hydration import SearchHit
from embeddings_app.services.search.searching import GroupsAsked, SearchRequest, SearchResult, search_within
from embeddings_app.services.search.stopwatch import Stopwatch
from embeddings_app.services.search.text_query import Mode

_FIRST, _WIDER, _MOST_ROUNDS = 4, 4, 3
"""Hits for each that is wanted in the first round; how much more in each further one; rounds at most."""
_SHORTEST_ROUND_SECONDS = 0.1
"""With less time than this a further round would only be late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    value: Value
    hits: tuple[SearchHit, ...]
    """The nearest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupedResult:
    result: SearchResult
    """The widest of the searches, with all its hits."""
    groups: tuple[Group, ...]
    """The one with the nearest hit first."""
    complete: bool
    """Whether a look at more hits could add nothing, and change nothing."""
    full: bool
    """Whether there are as many groups and hits as are wanted."""


def search_groups(request: SearchRequest, asked: GroupsAsked) -> GroupedResult:
    """`top_k` and `offset` count groups. Raises what the first of the searches raises."""
    deadline = time.monotonic() + SEARCH_DEADLINE_SECONDS
    with answered_by(deadline):
        best = _best_round(request, asked, deadline, Stopwatch())
    shown = best.groups[request.offset : request.offset + request.top_k]
    if "metadata" not in request.include:
        shown = tuple(replace(group, hits=tuple(replace(hit, metadata=None) for hit in group.hits)) for group in shown)
    return replace(best, groups=shown)


def _best_round(request: SearchRequest, asked: GroupsAsked, deadline: float, watch: Stopwatch) -> GroupedResult:
    """A further round that fails, or loses a shard or a half, leaves the one before it as it is."""
    fetch = min(MAX_TOP_K, _FIRST * (request.offset + request.top_k) * asked.size)
    best = _round(request, asked, fetch, deadline, watch)
    for _ in range(_MOST_ROUNDS - 1):
        if best.full or best.complete or fetch == MAX_TOP_K or deadline - time.monotonic() < _SHORTEST_ROUND_SECONDS:
            break
        fetch = min(MAX_TOP_K, _WIDER * fetch)
        try:
            further = _round(request, asked, fetch, deadline, watch)
        except (ServiceError, OperationalError, InterfaceError):
            break
        if loses(further.result, best.result):
            break
        best = further
    return best


def _round(request: SearchRequest, asked: GroupsAsked, fetch: int, deadline: float, watch: Stopwatch) -> GroupedResult:
    wider = replace(request, top_k=fetch, offset=0, groups=None, include=request.include | {"metadata"})
    result = search_within(wider, deadline, watch)
    groups = grouped(result.hits, asked)
    wanted = groups[: request.offset + request.top_k]
    full = len(wanted) == request.offset + request.top_k and all(len(one.hits) == asked.size for one in wanted)
    return GroupedResult(result=result, groups=groups, complete=is_complete(result, full=full), full=full)


def loses(further: SearchResult, best: SearchResult) -> bool:
    """Whether a shard or a half has no share in the wider look, and had one in the narrower one."""
    return bool(_silent(further) - _silent(best))


def _silent(result: SearchResult) -> set[int | str]:
    """Shards by their numbers, and halves by their names."""
    halves = {"vector"} if result.vector_fault else set[str]()
    if result.text is not None and result.text.incomplete == "too_slow":
        halves.add("text")
    return {*result.shards_failed, *halves}


def is_complete(result: SearchResult, *, full: bool) -> bool:
    """Full groups are the nearest ones, whatever comes behind them; but in mode hybrid a document that a wider look
    finds by both halves may pass them. What did not answer, or was not looked at, may have been in front of all."""
    missing = result.partial or (result.text is not None and result.text.incomplete is not None)
    return not missing and (result.exhausted or (full and result.mode is not Mode.HYBRID))


def grouped(hits: Sequence[SearchHit], asked: GroupsAsked) -> tuple[Group, ...]:
    """A document with a list is in the group of each value in it, one without the field in none."""
    found: dict[tuple[str, Value], list[SearchHit]] = {}
    for hit in hits:
        for value in scalars_of(flatten(hit.metadata or {}).get(asked.field)):
            members = found.setdefault(value, [])
            if len(members) < asked.size:
                members.append(hit)
    return tuple(Group(value=value, hits=tuple(members)) for (_, value), members in found.items())
