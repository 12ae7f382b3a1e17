"""Search: the answer to one request.

1. which model version answers  2. the vector, from the cache or an embedder when the query is text  3. the search of
that version's index  4. maybe the search is kept as a sample  5. hints at what is probably a mistake
"""

import time
from dataclasses import dataclass
from typing import Any

from embedding_project.contracts.errors import InvalidRequest, Unavailable
from embedding_project.contracts.filters import Filter, to_wire
from embedding_project.contracts.keys import InputType
from embedding_project.contracts.limits import SEARCH_DEADLINE_SECONDS
from embedding_project.contracts.messages import Lane
from embedding_project.contracts.model_spec import ModelSpec, ModelType
from embedding_project.contracts.vectors import Vector, checked_vector, to_bytes, unit_length
from embeddings_app import registry
from embeddings_app.database.patience import answered_by
from embeddings_app.records.search_samples import LiveSearch
from embeddings_app.services import namespaces
from embeddings_app.services.documents import positions
from embeddings_app.services.documents.waiting import wait_until_applied
from embeddings_app.services.embedding.embed import INFRASTRUCTURE_ERRORS, embed_texts
from embeddings_app.services.embedding.hot_texts import count_queries
from embeddings_app.services.quality.sampling import search_sampler
from embeddings_app.services.search.filter_hints import filter_warnings, kinds_held
from embeddings_app.services.search.hydration import SearchHit
from embeddings_app.services.search.metrics import PARTIAL_ANSWERS, SEARCHES
from embeddings_app.services.search.stopwatch import Stopwatch
from embeddings_app.services.search.version_search import VectorQuery, search_version
from embeddings_app.services.topology import topology

_UNKNOWN_QUERY = "the model knows no token of the query; it finds what any other such query finds"


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest:
    query: str | None
    """In normal form; exactly one of query and vector is given."""
    vector: list[Any] | None
    model_id: str | None
    model_version: int | None
    """A version whose index is whole; None for the active one."""
    namespace: str
    top_k: int
    filter: Filter | None
    ef_search: int | None
    """None for the one that calibration found for the version."""
    exact: bool
    include: frozenset[str]
    """Of `metadata` and `text`."""
    min_token: str | None
    """Position the index must have reached, from an upsert."""
    allow_partial: bool
    """Whether an answer without some of the shards is better than none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    hits: tuple[SearchHit, ...]
    shards_total: int
    shards_failed: tuple[int, ...]
    """Their numbers, in order."""
    timings_ms: dict[str, float]
    model_id: str
    model_version: int
    ef_search: int
    """The breadth that was used."""
    warnings: tuple[str, ...]
    """What of the request is probably not meant."""


def search(request: SearchRequest) -> SearchResult:
    """The documents nearest in meaning. Raises ServiceError; shards that are missing are said, not raised, unless all
    of them are or the caller wants all or nothing."""
    deadline = time.monotonic() + SEARCH_DEADLINE_SECONDS
    with answered_by(deadline):
        return _search(request, deadline, Stopwatch())


def _search(request: SearchRequest, deadline: float, watch: Stopwatch) -> SearchResult:
    space = namespaces.namespace(request.namespace)
    namespaces.check_model(space, request.model_id)
    spec = registry.asked_spec(space.model_id, request.model_version)
    if request.min_token is not None:
        with watch.stage("wait"):
            _wait_for_token(request.min_token, spec.version_key, deadline)
    with watch.stage("embed"):
        vector, about_query = _query_vector(request, spec, deadline)
    ef_search = registry.auto_ef(spec.version_key) if request.ef_search is None else request.ef_search
    best = search_version(_vector_query(request, spec, space.pk, vector, ef_search), deadline, watch)
    SEARCHES.labels(spec.model_id, str(spec.version)).inc()
    if best.failed:
        PARTIAL_ANSWERS.inc()
    if request.model_version is None and best.hits and space.store_text:
        search_sampler().offer(lambda: _live_search(request, spec, space.pk, vector))
    held = kinds_held(space.pk) if request.filter is not None and not best.hits else {}
    return SearchResult(
        hits=tuple(best.hits[: request.top_k]),
        shards_total=best.shards,
        shards_failed=best.failed,
        timings_ms=watch.total(),
        model_id=spec.model_id,
        model_version=spec.version,
        ef_search=ef_search,
        warnings=(*about_query, *filter_warnings(request.filter, space.fields, held)),
    )


def _query_vector(request: SearchRequest, spec: ModelSpec, deadline: float) -> tuple[Vector, tuple[str, ...]]:
    """Shape (d,), and what there is to say of it."""
    if request.vector is not None:
        return checked_vector(request.vector, spec.dimension, "vector"), ()
    if spec.type is ModelType.EXTERNAL or request.query is None:
        raise InvalidRequest("vector_required", field="query")
    count_queries(spec.model_id, [request.query])
    outcome = embed_texts(spec, InputType.QUERY, [request.query], Lane.INTERACTIVE, deadline, reserve=True)[0]
    if outcome.error == "empty_input":
        raise InvalidRequest(outcome.error, field="query")
    if outcome.vector is None:
        code = outcome.error if outcome.error in INFRASTRUCTURE_ERRORS else "model_error"
        raise Unavailable(code or "model_error")
    return unit_length(outcome.vector), (_UNKNOWN_QUERY,) if outcome.unknown else ()


def _vector_query(
    request: SearchRequest, spec: ModelSpec, namespace_key: int, vector: Vector, ef_search: int
) -> VectorQuery:
    return VectorQuery(
        version_key=spec.version_key,
        storage=spec.storage,
        namespace_key=namespace_key,
        vector=vector,
        top_k=request.top_k,
        filter=request.filter,
        ef_search=ef_search,
        exact=request.exact,
        include=request.include,
        allow_partial=request.allow_partial,
    )


def _live_search(request: SearchRequest, spec: ModelSpec, namespace_key: int, vector: Vector) -> LiveSearch:
    by_vector = request.query is None
    return LiveSearch(
        model_id=spec.model_id,
        namespace_key=namespace_key,
        text=request.query or "",
        vector=to_bytes(vector) if by_vector else None,
        version_key=spec.version_key if by_vector else None,
        top_k=request.top_k,
        filter=to_wire(request.filter) if request.filter is not None else "",
        ef_search=request.ef_search,
    )


def _wait_for_token(token: str, version_key: int, deadline: float) -> None:
    current = topology()
    position = positions.decode(token, current, version_key)
    if not wait_until_applied(position, current, deadline):
        raise Unavailable("not_caught_up")
