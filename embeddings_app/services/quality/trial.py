"""One query tried on one version: as a client would search, and exactly.

It goes the way of every search, beside those of clients, so it takes turns: after an exact search, which holds the
nodes for long, it rests.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from django.db import InterfaceError, OperationalError

from embedding_project.contracts.errors import ServiceError
from embedding_project.contracts.keys import InputType
from embedding_project.contracts.limits import SEARCH_DEADLINE_SECONDS
from embedding_project.contracts.messages import Lane
from embedding_project.contracts.model_spec import ModelSpec
from embedding_project.contracts.vectors import Vector, from_bytes, unit_length
from embedding_project.threads.waiter import rest
from embeddings_app import registry
from embeddings_app.database.patience import answered_by
from embeddings_app.records.reading import read_vectors
from embeddings_app.services.embedding.embed import embed_texts
from embeddings_app.services.quality.queries import SampleQuery
from embeddings_app.services.search.hydration import SearchHit
from embeddings_app.services.search.stopwatch import Stopwatch
from embeddings_app.services.search.version_search import VectorQuery, search_version

DEPTH = 10
"""How many hits are compared."""
EXACT_REST = 3.0
"""After an exact search, so many times its duration is rested."""
_EMBED_SECONDS = 10.0
_LIVE_INCLUDE = frozenset({"metadata"})
"""What most clients ask for."""


class NoAnswer(Exception):
    """The version did not answer the query: too slow, a role away, or no vector for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    hits: tuple[SearchHit, ...]
    """The first `DEPTH`, nearest first."""
    milliseconds: float
    """The embedding of the query included, as a client waits for it."""
    vector: Vector
    """Shape (d,), of the query."""


def try_query(spec: ModelSpec, query: SampleQuery, deadline: float) -> Answer:
    """The answer of the version to the query, with the breadth of live searches. Raises NoAnswer."""
    began = time.perf_counter()
    # Past the cache: a new version has few texts there, and would look slow.
    vector = query_vector(spec, query, deadline, use_cache=False)
    ef_search = registry.auto_ef(spec.version_key) if query.ef_search is None else query.ef_search
    hits = search(spec, query, vector, deadline, ef_search=ef_search)
    return Answer(hits=hits, milliseconds=1_000 * (time.perf_counter() - began), vector=vector)


def search(
    spec: ModelSpec, query: SampleQuery, vector: Vector, deadline: float, *, ef_search: int
) -> tuple[SearchHit, ...]:
    """The hits of the graph with one breadth. Raises NoAnswer."""
    return _search(spec, query, vector, deadline, top_k=max(DEPTH, query.top_k), ef_search=ef_search, exact=False)


def search_exactly(
    spec: ModelSpec, query: SampleQuery, vector: Vector, deadline: float, pause: Callable[[float], None] = rest
) -> tuple[SearchHit, ...]:
    """The true nearest documents; then a rest. Raises NoAnswer."""
    began = time.monotonic()
    try:
        return _search(spec, query, vector, deadline, top_k=DEPTH, ef_search=DEPTH, exact=True)
    finally:
        pause(max(0.0, min(EXACT_REST * (time.monotonic() - began), deadline - time.monotonic())))


def recall(found: tuple[SearchHit, ...], nearest: tuple[SearchHit, ...]) -> float | None:
    """The share of `nearest` that was found; a hit as near as the last of them is as good. None when there are none."""
    if not nearest:
        return None
    return min(1.0, sum(hit.score >= nearest[-1].score for hit in found[: len(nearest)]) / len(nearest))


def _search(
    spec: ModelSpec, query: SampleQuery, vector: Vector, deadline: float, *, top_k: int, ef_search: int, exact: bool
) -> tuple[SearchHit, ...]:
    asked = VectorQuery(
        version_key=spec.version_key,
        storage=spec.storage,
        namespace_key=query.namespace_key,
        vector=vector,
        top_k=top_k,
        filter=query.filter,
        ef_search=ef_search,
        exact=exact,
        include=_LIVE_INCLUDE,
        allow_partial=False,
    )
    until = min(deadline, time.monotonic() + SEARCH_DEADLINE_SECONDS)
    try:
        with answered_by(until):
            return tuple(search_version(asked, until, Stopwatch(counted=False)).hits[:DEPTH])
    except (ServiceError, OperationalError, InterfaceError) as error:
        raise NoAnswer from error


def query_vector(spec: ModelSpec, query: SampleQuery, deadline: float, *, use_cache: bool) -> Vector:
    """Shape (d,), of unit length. Raises NoAnswer."""
    if query.vector is not None:
        return query.vector
    if query.document_key is not None:
        stored = read_vectors(spec.version_key, [query.document_key]).get(query.document_key)
        if stored is None:
            raise NoAnswer
        vector: Vector = from_bytes(stored, spec.dimension)[0]
        return vector
    return _embedded(spec, query.text or "", min(deadline, time.monotonic() + _EMBED_SECONDS), use_cache=use_cache)


def _embedded(spec: ModelSpec, text: str, deadline: float, *, use_cache: bool) -> Vector:
    try:
        outcome = embed_texts(spec, InputType.QUERY, [text], Lane.INTERACTIVE, deadline, use_cache=use_cache)[0]
    except ServiceError as error:
        raise NoAnswer from error
    if outcome.vector is None:
        raise NoAnswer
    return unit_length(outcome.vector)
