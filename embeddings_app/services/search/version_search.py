"""The search of one model version's index: a vector to the shards, their hits merged, verified and made whole.

1. carried to one task per shard, with other searches  2. k-way merge  3. hydrate and verify  4. once more with a wider
net when too many hits did not hold
"""

import time
from dataclasses import dataclass

from embedding_project.contracts.errors import Unavailable
from embedding_project.contracts.filters import Filter, to_wire
from embedding_project.contracts.hits import ShardHits
from embedding_project.contracts.messages import ShardQuery
from embedding_project.contracts.origins import NOBODY
from embedding_project.contracts.vectors import Vector
from embedding_project.observing.request_context import current_origins
from embedding_project.observing.tracing import span
from embedding_project.threads.waiter import rest
from embeddings_app.services.search.carrying import carrying, make_hits
from embeddings_app.services.search.hydration import Shown
from embeddings_app.services.search.rounds import Round, best_round
from embeddings_app.services.search.stopwatch import Stopwatch
from embeddings_app.services.search.tickets import SearchTicket
from embeddings_app.services.topology import topology

_BEHIND_PAUSE_SECONDS = 0.025


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorQuery:
    """What is asked of the index of one version."""

    version_key: int
    namespace_key: int
    vector: Vector
    """Shape (d,), unit length, d the dimension of the version."""
    top_k: int
    filter: Filter | None
    ef_search: int
    exact: bool
    include: frozenset[str]
    """Of `metadata` and `text`."""
    allow_partial: bool
    """Whether an answer without some of the shards is better than none."""


def search_version(query: VectorQuery, deadline: float, watch: Stopwatch) -> Round:
    """The best hits, `top_k` or somewhat more, by `deadline`. Raises Unavailable when shards are missing that may not
    be, and DatabaseError."""
    return best_round(
        lambda fetch: _round(query, fetch, deadline, watch), query.top_k, lambda: deadline - time.monotonic()
    )


def _round(query: VectorQuery, fetch: int, deadline: float, watch: Stopwatch) -> Round:
    """Ask the shards, merge, verify."""
    began = time.perf_counter()
    with span("shards"):
        ticket = _carried(query, fetch, deadline)
    if not ticket.answered or (len(ticket.answered) < len(ticket.outcomes) and not query.allow_partial):
        raise _no_answer(ticket.outcomes)
    if ticket.hits is None:
        make_hits([ticket])
    watch.note("shards", 1_000 * (time.perf_counter() - began) - ticket.hydrate_ms)
    watch.note("hydrate", ticket.hydrate_ms)
    watch.add("nodes", ticket.search_ms)
    return Round(
        hits=ticket.hits or [],
        shards=len(ticket.outcomes),
        failed=tuple(sorted(shard for shard, outcome in ticket.outcomes.items() if isinstance(outcome, str))),
        may_have_more=any(len(shard.scores) >= fetch for shard in ticket.answered),
    )


def _carried(query: VectorQuery, fetch: int, deadline: float) -> SearchTicket:
    """The search with what the shards said. Shards whose replica was behind are asked again until the deadline."""
    ticket = _ticket(query, fetch, deadline, {}, 0.0)
    carrying().carry(ticket)
    while ticket.behind and time.monotonic() + _BEHIND_PAUSE_SECONDS < deadline:
        rest(_BEHIND_PAUSE_SECONDS)
        known = {shard: outcome for shard, outcome in ticket.outcomes.items() if shard not in ticket.behind}
        ticket = _ticket(query, fetch, deadline, known, ticket.search_ms)
        carrying().carry(ticket)
    # It may have been given up while another thread carried it.
    ticket.fail("index_unavailable")
    return ticket


def _ticket(
    query: VectorQuery, fetch: int, deadline: float, known: dict[int, ShardHits | str], search_ms: float
) -> SearchTicket:
    return SearchTicket(
        query=_shard_query(query, fetch),
        vector=query.vector,
        shown=Shown(
            namespace_key=query.namespace_key,
            version_key=query.version_key,
            filter=query.filter,
            include=query.include,
        ),
        topology=topology(),
        deadline=deadline,
        allow_partial=query.allow_partial,
        origin=next(iter(current_origins()), NOBODY),
        outcomes=known,
        search_ms=search_ms,
    )


def _shard_query(query: VectorQuery, fetch: int) -> ShardQuery:
    return ShardQuery(
        version_key=query.version_key,
        namespace_key=query.namespace_key,
        top_k=fetch,
        ef_search=query.ef_search,
        exact=query.exact,
        filter=to_wire(query.filter) if query.filter is not None else "",
    )


def _no_answer(outcomes: dict[int, ShardHits | str]) -> Unavailable:
    telling = [code for code in ("internal_error", "broker_unavailable") if code in outcomes.values()]
    return Unavailable(telling[0] if telling else "index_unavailable")
