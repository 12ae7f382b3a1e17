"""Search: a vector to the shards, their hits merged, verified and made whole.

1. the vector, from the cache or an embedder when the query is text  2. through the coalescer to one task per shard
3. k-way merge  4. hydrate and verify  5. once more with a wider net when too many hits did not hold
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from embedding_project.contracts.errors import InvalidRequest, Unavailable
from embedding_project.contracts.filters import Filter, to_wire
from embedding_project.contracts.hits import ShardHits, merge_hits
from embedding_project.contracts.keys import InputType
from embedding_project.contracts.limits import SEARCH_DEADLINE_SECONDS
from embedding_project.contracts.messages import BEHIND, Lane, ShardQuery
from embedding_project.contracts.model_spec import ModelSpec, ModelType
from embedding_project.contracts.origins import NOBODY
from embedding_project.contracts.vectors import Vector, checked_vector, unit_length
from embedding_project.observing.request_context import current_origins
from embedding_project.observing.tracing import span
from embedding_project.threads.waiter import rest
from embeddings_app import registry
from embeddings_app.database.patience import answered_by
from embeddings_app.services import namespaces
from embeddings_app.services.documents import positions
from embeddings_app.services.documents.waiting import wait_until_applied
from embeddings_app.services.embedding.embed import INFRASTRUCTURE_ERRORS, embed_texts
from embeddings_app.services.search.coalescer import coalescer
from embeddings_app.services.search.filter_hints import filter_warnings, kinds_held
from embeddings_app.services.search.hydration import SearchHit, Shown, verified_hits
from embeddings_app.services.search.metrics import PARTIAL_ANSWERS, STAGE_SECONDS
from embeddings_app.services.search.rounds import Round, best_round
from embeddings_app.services.search.tickets import SearchTicket
from embeddings_app.services.topology import topology

_BEHIND_PAUSE_SECONDS = 0.025
_UNKNOWN_QUERY = "the model knows no token of the query; it finds what any other such query finds"


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest:
    query: str | None
    """In normal form; exactly one of query and vector is given."""
    vector: list[Any] | None
    model_id: str | None
    namespace: str
    top_k: int
    filter: Filter | None
    ef_search: int
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
    warnings: tuple[str, ...]
    """What of the request is probably not meant."""


class _Stopwatch:
    """Milliseconds by stage; stages that happen twice add up."""

    def __init__(self) -> None:
        self.ms: dict[str, float] = {}
        self._started = time.perf_counter()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the block, which is a span of its trace as well."""
        began = time.perf_counter()
        with span(name):
            yield
        seconds = time.perf_counter() - began
        STAGE_SECONDS.labels(name).observe(seconds)
        self.add(name, 1000 * seconds)

    def add(self, stage: str, milliseconds: float) -> None:
        """Time measured elsewhere, within a stage of this watch."""
        self.ms[stage] = round(self.ms.get(stage, 0.0) + milliseconds, 3)

    def total(self) -> dict[str, float]:
        return {**self.ms, "total": round(1000 * (time.perf_counter() - self._started), 3)}


def search(request: SearchRequest) -> SearchResult:
    """The documents nearest in meaning. Raises ServiceError; shards that are missing are said, not raised, unless all
    of them are or the caller wants all or nothing."""
    deadline = time.monotonic() + SEARCH_DEADLINE_SECONDS
    with answered_by(deadline):
        return _search(request, deadline, _Stopwatch())


def _search(request: SearchRequest, deadline: float, watch: _Stopwatch) -> SearchResult:
    space = namespaces.namespace(request.namespace)
    namespaces.check_model(space, request.model_id)
    spec = registry.active_spec(space.model_id)
    if request.min_token is not None:
        with watch.stage("wait"):
            _wait_for_token(request.min_token, spec.version_key, deadline)
    with watch.stage("embed"):
        vector, about_query = _query_vector(request, spec, deadline)
    shown = Shown(namespace_key=space.pk, version_key=spec.version_key, filter=request.filter, include=request.include)

    def ask(fetch: int) -> Round:
        return _round(_shard_query(request, shown, fetch), shown, vector, deadline, watch, request.allow_partial)

    best = best_round(ask, request.top_k, lambda: deadline - time.monotonic())
    if best.failed:
        PARTIAL_ANSWERS.inc()
    held = kinds_held(space.pk) if request.filter is not None and not best.hits else {}
    return SearchResult(
        hits=tuple(best.hits[: request.top_k]),
        shards_total=best.shards,
        shards_failed=best.failed,
        timings_ms=watch.total(),
        model_id=spec.model_id,
        model_version=spec.version,
        warnings=(*about_query, *filter_warnings(request.filter, space.fields, held)),
    )


def _query_vector(request: SearchRequest, spec: ModelSpec, deadline: float) -> tuple[Vector, tuple[str, ...]]:
    """Shape (d,), and what there is to say of it."""
    if request.vector is not None:
        return checked_vector(request.vector, spec.dimension, "vector"), ()
    if spec.type is ModelType.EXTERNAL or request.query is None:
        raise InvalidRequest("vector_required", field="query")
    outcome = embed_texts(spec, InputType.QUERY, [request.query], Lane.INTERACTIVE, deadline, reserve=True)[0]
    if outcome.error == "empty_input":
        raise InvalidRequest(outcome.error, field="query")
    if outcome.vector is None:
        code = outcome.error if outcome.error in INFRASTRUCTURE_ERRORS else "model_error"
        raise Unavailable(code or "model_error")
    return unit_length(outcome.vector), (_UNKNOWN_QUERY,) if outcome.unknown else ()


def _shard_query(request: SearchRequest, shown: Shown, fetch: int) -> ShardQuery:
    return ShardQuery(
        version_key=shown.version_key,
        namespace_key=shown.namespace_key,
        top_k=fetch,
        ef_search=request.ef_search,
        exact=request.exact,
        filter=to_wire(request.filter) if request.filter is not None else "",
    )


def _round(
    query: ShardQuery, shown: Shown, vector: Vector, deadline: float, watch: _Stopwatch, allow_partial: bool
) -> Round:
    """Ask the shards, merge, verify. Raises Unavailable when shards are missing that may not be."""
    with watch.stage("shards"):
        outcomes, node_ms = _ask_shards(query, vector, deadline)
    watch.add("nodes", node_ms)
    answered = [outcome for outcome in outcomes.values() if isinstance(outcome, ShardHits)]
    if not answered or (len(answered) < len(outcomes) and not allow_partial):
        raise _no_answer(outcomes)
    with watch.stage("hydrate"):
        with span("merge"):
            merged = merge_hits(answered, query.top_k)
        hits = verified_hits(merged, shown)
    return Round(
        hits=hits,
        shards=len(outcomes),
        failed=tuple(sorted(shard for shard, outcome in outcomes.items() if isinstance(outcome, str))),
        may_have_more=any(len(shard.scores) >= query.top_k for shard in answered),
    )


def _ask_shards(query: ShardQuery, vector: Vector, deadline: float) -> tuple[dict[int, ShardHits | str], float]:
    """Shard -> hits, or an error code; and the milliseconds the slowest node searched for.

    Shards whose replica was behind are asked again until the deadline.
    """
    current = topology()
    node_ms = 0.0
    outcomes: dict[int, ShardHits | str] = dict.fromkeys(range(current.shards), "index_unavailable")
    asked = frozenset(outcomes)
    origin = next(iter(current_origins()), NOBODY)
    while asked:
        ticket = SearchTicket(query, vector, current, asked, deadline, origin)
        coalescer().submit(ticket)
        ticket.done.wait()
        outcomes.update(dict(ticket.outcomes))
        node_ms += ticket.search_ms
        asked = frozenset(shard for shard in asked if outcomes[shard] == BEHIND)
        if asked and time.monotonic() + _BEHIND_PAUSE_SECONDS >= deadline:
            break
        if asked:
            rest(_BEHIND_PAUSE_SECONDS)
            current = topology()
    return outcomes, node_ms


def _no_answer(outcomes: dict[int, ShardHits | str]) -> Unavailable:
    telling = [code for code in ("internal_error", "broker_unavailable") if code in outcomes.values()]
    return Unavailable(telling[0] if telling else "index_unavailable")


def _wait_for_token(token: str, version_key: int, deadline: float) -> None:
    current = topology()
    position = positions.decode(token, current, version_key)
    if not wait_until_applied(position, current, deadline):
        raise Unavailable("not_caught_up")
