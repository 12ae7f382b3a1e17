"""Several searches at once: their texts are embedded together, and searches of one index share a fan-out.

Each has its own outcome. What is wrong with one says nothing about the others.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import ParamSpec, TypeVar

from embedding_project.contracts.errors import ServiceError
from embedding_project.contracts.limits import SEARCH_DEADLINE_SECONDS
from embedding_project.contracts.model_spec import ModelSpec, ModelType
from embeddings_app.database.patience import answered_by
from embeddings_app.models import Namespace
from embeddings_app.services.embedding.embed import EmbedOutcome
from embeddings_app.services.search.halves import vector_due
from embeddings_app.services.search.query_vectors import embed_queries
from embeddings_app.services.search.searching import (
    Prepared,
    SearchRequest,
    SearchResult,
    Times,
    answered,
    asked,
    prepare,
)
from embeddings_app.services.search.stopwatch import Stopwatch
from embeddings_app.services.search.text_query import Mode
from embeddings_app.services.search.tickets import SearchTicket
from embeddings_app.services.search.version_search import carry_together

_SEARCHING_SECONDS = 0.5
"""Of the time of all, kept to search with the vectors that are there."""
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
_Place = tuple[Namespace, ModelSpec] | ServiceError
_Embedded = dict[int, dict[str, EmbedOutcome] | ServiceError]
"""Model version -> its query texts, or why none of them could be embedded."""


def search_many(requests: Sequence[SearchRequest]) -> list[SearchResult | ServiceError]:
    """The outcome of each search, in order, within the time of one. Raises DatabaseError."""
    deadline = time.monotonic() + SEARCH_DEADLINE_SECONDS
    with answered_by(deadline):
        watches = [Stopwatch() for _ in requests]
        places = [_outcome(asked, request) for request in requests]
        embedded = _embed_together(requests, places, deadline)
        prepared = [
            place if isinstance(place, ServiceError) else _outcome(_prepare, request, place, deadline, watch, embedded)
            for request, place, watch in zip(requests, places, watches, strict=True)
        ]
        queries = [one.query for one in prepared if isinstance(one, Prepared) and one.query]
        carried = iter(carry_together(queries, deadline))
        tickets = [next(carried) if isinstance(one, Prepared) and one.query else None for one in prepared]
        return _answers(prepared, tickets, watches, deadline)


def _answers(
    prepared: Sequence[Prepared | ServiceError],
    tickets: Sequence[SearchTicket | None],
    watches: Sequence[Stopwatch],
    deadline: float,
) -> list[SearchResult | ServiceError]:
    """In the order of the searches. What has least to wait for is answered first: a model that is silent, or a place
    among heavy searches, may take all the time that there is."""
    outcomes: dict[int, SearchResult | ServiceError] = {}

    def waits(place: int) -> tuple[bool, bool]:
        one = prepared[place]
        if isinstance(one, ServiceError):
            return False, False
        return one.reranker is not None, one.query is not None and tickets[place] is None

    for place in sorted(range(len(prepared)), key=waits):
        one = prepared[place]
        if isinstance(one, ServiceError):
            outcomes[place] = one
        else:
            outcomes[place] = _outcome(answered, one, deadline, watches[place], tickets[place])
    return [outcomes[place] for place in range(len(prepared))]


def _due(request: SearchRequest, deadline: float) -> float:
    """Until when its vector, and the index for it, may be waited for: not in the time of the other searches."""
    return min(vector_due(deadline, words_would_do=request.words_would_do), deadline - _SEARCHING_SECONDS)


def _embed_together(requests: Sequence[SearchRequest], places: Sequence[_Place], deadline: float) -> _Embedded:
    """One model version after the other; none may take the time of those that follow it, however silent it is, nor
    that of the searches whose vectors are there."""
    asking = defaultdict[ModelSpec, list[SearchRequest]](list)
    for request, place in zip(requests, places, strict=True):
        if isinstance(place, ServiceError) or request.mode is Mode.TEXT or place[1].type is ModelType.EXTERNAL:
            continue
        if request.wanted.query is not None:
            asking[place[1]].append(request)
    embedded: _Embedded = {}
    for spec, own in asking.items():
        due = min(_due(request, deadline) for request in own)
        share = (due - time.monotonic()) / (len(asking) - len(embedded))
        texts = list(dict.fromkeys(request.wanted.query for request in own if request.wanted.query is not None))
        embedded[spec.version_key] = _outcome(embed_queries, spec, texts, time.monotonic() + share)
    return embedded


def _prepare(
    request: SearchRequest,
    place: tuple[Namespace, ModelSpec],
    deadline: float,
    watch: Stopwatch,
    embedded: _Embedded,
) -> Prepared:
    space, spec = place
    times = Times(deadline=deadline, vector_due=_due(request, deadline))
    return prepare(request, space, spec, times, watch, embedded.get(spec.version_key, {}))


def _outcome(
    work: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Result | ServiceError:
    try:
        return work(*args, **kwargs)
    except ServiceError as error:
        return error
