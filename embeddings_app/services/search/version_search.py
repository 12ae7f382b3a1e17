"""The search of one model version's index: a vector to the shards, their hits merged, verified and made whole.

1. carried to one task per shard, with other searches, or alone when it is heavy  2. k-way merge  3. hydrate and verify
4. once more with a wider net when too many hits did not hold
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from embedding_project.config import load_config
from embedding_project.contracts.errors import Unavailable
from embedding_project.contracts.filters import Filter, to_wire
from embedding_project.contracts.messages import ShardQuery
from embedding_project.contracts.origins import NOBODY
from embedding_project.contracts.queues import SearchLane
from embedding_project.contracts.vector_storage import VectorStorage
from embedding_project.contracts.vectors import Vector
from embedding_project.observing.request_context import current_origins
from embedding_project.observing.tracing import span
from embedding_project.threads.waiter import rest
from embeddings_app.services.search.carrier import TOO_SLOW
from embeddings_app.services.search.carrying import carry, carry_all, make_hits
from embeddings_app.services.search.estimating import documents_in_a_shard, estimate, of_heavy
from embeddings_app.services.search.hydration import Shown
from embeddings_app.services.search.rescoring import spare_hits
from embeddings_app.services.search.rounds import Round, best_round
from embeddings_app.services.search.stopwatch import Stopwatch
from embeddings_app.services.search.tickets import SearchTicket
from embeddings_app.services.topology import topology

_BEHIND_PAUSE_SECONDS = 0.025


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorQuery:
    """What is asked of the index of one version."""

    version_key: int
    storage: VectorStorage
    """Of the vectors in the graphs of the version."""
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


def search_version(query: VectorQuery, deadline: float, watch: Stopwatch, carried: SearchTicket | None = None) -> Round:
    """The best hits, `top_k` or somewhat more, by `deadline`. Raises Unavailable when shards are missing that may not
    be, and DatabaseError. `carried`: what `carry_together` gave for the query."""
    return best_round(
        lambda fetch: _round(query, fetch, deadline, watch, carried),
        query.top_k,
        spare_hits(query.storage, query.top_k),
        lambda: deadline - time.monotonic(),
    )


def carry_together(queries: Sequence[VectorQuery], deadline: float) -> list[SearchTicket | None]:
    """Take the searches to their shards and back, those to one index in one message; None for those that are heavy."""
    tickets = [_ticket(query, query.top_k + spare_hits(query.storage, query.top_k), deadline) for query in queries]
    light = [ticket for ticket in tickets if ticket.lane is SearchLane.LIGHT]
    with span("shards"):
        carry_all(light)
    return [ticket if ticket.lane is SearchLane.LIGHT else None for ticket in tickets]


def _round(query: VectorQuery, fetch: int, deadline: float, watch: Stopwatch, carried: SearchTicket | None) -> Round:
    """Ask the shards unless it is done, merge, verify."""
    began = time.perf_counter()
    with span("shards"):
        ticket = _carried(query, fetch, deadline, carried)
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


def _carried(query: VectorQuery, fetch: int, deadline: float, carried: SearchTicket | None) -> SearchTicket:
    """The search with what the shards said. Until the deadline, shards whose replica was behind are asked again, and
    those for which the search was too heavy are asked on the heavy lane. Raises Unavailable when that is full."""
    if carried is not None and carried.query.top_k == fetch:
        ticket = carried
    else:
        ticket = _ticket(query, fetch, deadline)
        carry(ticket)
    while ticket.unsettled and time.monotonic() + _BEHIND_PAUSE_SECONDS < deadline:
        if ticket.behind:
            rest(_BEHIND_PAUSE_SECONDS)
        ticket = _again(ticket, query)
        carry(ticket)
    # It may have been given up while another thread carried it.
    ticket.fail("index_unavailable")
    return ticket


def _ticket(query: VectorQuery, fetch: int, deadline: float) -> SearchTicket:
    asked, current = _shard_query(query, fetch), topology()
    documents = documents_in_a_shard(current.layout, query.version_key, query.namespace_key)
    cost = estimate(asked, query.filter, len(query.vector), documents)
    light = 1_000.0 * load_config().heavy_search_ms
    heavy = cost.sure > light
    return SearchTicket(
        query=asked,
        vector=query.vector,
        shown=Shown(
            namespace_key=query.namespace_key,
            version_key=query.version_key,
            filter=query.filter,
            include=query.include,
            rounded=query.storage is not VectorStorage.FP32,
        ),
        topology=current,
        deadline=deadline,
        # What turns out to cost more is handed back.
        microseconds=cost.most if heavy else min(cost.most, light),
        lane=SearchLane.HEAVY if heavy else SearchLane.LIGHT,
        allow_partial=query.allow_partial,
        origin=next(iter(current_origins()), NOBODY),
    )


def _again(ticket: SearchTicket, query: VectorQuery) -> SearchTicket:
    """For the shards that gave no answer yet."""
    again = ticket.again(topology())
    if not ticket.too_heavy:
        return again
    documents = documents_in_a_shard(again.topology.layout, query.version_key, query.namespace_key)
    microseconds = of_heavy(ticket.query, query.filter, len(query.vector), documents)
    return replace(again, lane=SearchLane.HEAVY, microseconds=microseconds)


def _shard_query(query: VectorQuery, fetch: int) -> ShardQuery:
    return ShardQuery(
        version_key=query.version_key,
        namespace_key=query.namespace_key,
        top_k=fetch,
        ef_search=query.ef_search,
        exact=query.exact,
        filter=to_wire(query.filter) if query.filter is not None else "",
    )


def _no_answer(outcomes: Mapping[int, object]) -> Unavailable:
    telling = [code for code in ("internal_error", "broker_unavailable", TOO_SLOW) if code in outcomes.values()]
    return Unavailable(telling[0] if telling else "index_unavailable")
