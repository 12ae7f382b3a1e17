"""The search of one model version's index: a vector to the shards, their hits merged, verified and made whole.

1. through the coalescer to one task per shard  2. k-way merge  3. hydrate and verify  4. once more with a wider net
when too many hits did not hold
"""

import time
from dataclasses import dataclass

from embedding_project.contracts.errors import Unavailable
from embedding_project.contracts.filters import Filter, to_wire
from embedding_project.contracts.hits import ShardHits, merge_hits
from embedding_project.contracts.messages import BEHIND, ShardQuery
from embedding_project.contracts.origins import NOBODY
from embedding_project.contracts.vectors import Vector
from embedding_project.observing.request_context import current_origins
from embedding_project.observing.tracing import span
from embedding_project.threads.waiter import rest
from embeddings_app.services.search.coalescer import coalescer
from embeddings_app.services.search.hydration import Shown, verified_hits
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
    be."""
    shown = Shown(
        namespace_key=query.namespace_key, version_key=query.version_key, filter=query.filter, include=query.include
    )

    def ask(fetch: int) -> Round:
        return _round(query, shown, fetch, deadline, watch)

    return best_round(ask, query.top_k, lambda: deadline - time.monotonic())


def _round(query: VectorQuery, shown: Shown, fetch: int, deadline: float, watch: Stopwatch) -> Round:
    """Ask the shards, merge, verify."""
    with watch.stage("shards"):
        outcomes, node_ms = _ask_shards(_shard_query(query, fetch), query.vector, deadline)
    watch.add("nodes", node_ms)
    answered = [outcome for outcome in outcomes.values() if isinstance(outcome, ShardHits)]
    if not answered or (len(answered) < len(outcomes) and not query.allow_partial):
        raise _no_answer(outcomes)
    with watch.stage("hydrate"):
        with span("merge"):
            merged = merge_hits(answered, fetch)
        hits = verified_hits(merged, shown)
    return Round(
        hits=hits,
        shards=len(outcomes),
        failed=tuple(sorted(shard for shard, outcome in outcomes.items() if isinstance(outcome, str))),
        may_have_more=any(len(shard.scores) >= fetch for shard in answered),
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
