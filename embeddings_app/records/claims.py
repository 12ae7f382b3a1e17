"""Pending records as a queue in which namespaces take turns.

A record is claimed under a lease; who claims it need not live to finish it. One claim takes the same share from every
namespace that has due records, so a few documents of one do not wait for a hundred thousand of another. Within a
namespace the oldest go first.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from embedding_project.contracts.limits import EMBED_BATCH_ITEMS
from embeddings_app.records.embeddings import ReadText
from embeddings_app.records.sql import execute, prepared_rows, row

MAX_ATTEMPTS = 3
"""A text that failed so often on its own account is quarantined."""


@dataclass(frozen=True, slots=True, order=True)
class Turn:
    """A place in the ring of namespaces, by version. Each claim begins behind the turn at which the last one ended."""

    version_key: int = 0
    namespace_key: int = 0


@dataclass(frozen=True, slots=True)
class Claim(ReadText):
    """A text that its pending record asks for, under a lease."""

    record_key: int
    version_key: int
    batch_limit: int
    lease_until: datetime
    """Tells the claim from later ones of the same record."""
    namespace_key: int

    @property
    def turn(self) -> Turn:
        return Turn(self.version_key, self.namespace_key)


_END = 2**63 - 1
_DUE = "state = 'pending' AND next_attempt_at <= now() AND (lease_until IS NULL OR lease_until < now())"
_HEAD = "SELECT model_version_id, namespace_id, batch_limit"
_IN_ORDER = "ORDER BY model_version_id, namespace_id, next_attempt_at"
_FIRST = f"{_IN_ORDER} LIMIT 1"
_UNHELD = "FOR NO KEY UPDATE SKIP LOCKED"
_FIRST_OF_ARC = f"""
SELECT * FROM ({_HEAD} FROM embedding_record WHERE {_DUE}
    AND (model_version_id, namespace_id) > (%s, %s) AND model_version_id < %s {_FIRST} {_UNHELD}) AS first
"""
"""A record that another transaction holds leads no batch: it might be an empty one, again and again, while others wait
that could be claimed."""
_OF_RING = f"""
FROM embedding_record WHERE {_DUE} AND batch_limit = ring.batch_limit
AND model_version_id = ring.model_version_id
AND namespace_id >= ring.namespace_id AND namespace_id <= ring.namespace_id {_IN_ORDER}
"""
"""Two bounds instead of an equal sign, so that only one index has this order. Where statistics know one namespace only,
Postgres would else look for the few records of another among all that wait."""
_CLAIM = f"""
WITH RECURSIVE ring AS (
    SELECT leader.*, namespace_id AS began, {_END} AS ends, 1 AS place FROM ({{leader}} LIMIT 1) AS leader
    UNION ALL
    SELECT next.model_version_id, next.namespace_id, next.batch_limit, began, next.ends, place + 1
    FROM ring CROSS JOIN LATERAL (
        ({_HEAD}, ring.ends FROM embedding_record WHERE {_DUE} AND model_version_id = ring.model_version_id
            AND namespace_id > ring.namespace_id AND namespace_id < ring.ends {_FIRST})
        UNION ALL
        ({_HEAD}, ring.began FROM embedding_record WHERE {_DUE} AND model_version_id = ring.model_version_id
            AND namespace_id < ring.began AND ring.ends > ring.began {_FIRST})
        LIMIT 1
    ) AS next
    WHERE place < {{limit}} AND next.batch_limit = ring.batch_limit
), share AS (
    SELECT model_version_id, namespace_id, batch_limit, count(*) AS records FROM (
        SELECT ring.*, row_number() OVER (PARTITION BY place) AS round FROM ring CROSS JOIN LATERAL (
            SELECT 1 {_OF_RING} LIMIT {{limit}}
        ) AS due
        ORDER BY round, place LIMIT least({{limit}}, (SELECT min(batch_limit) FROM ring))
    ) AS dealt GROUP BY 1, 2, 3
), batch AS MATERIALIZED (
    SELECT due.id FROM share AS ring CROSS JOIN LATERAL (
        SELECT id {_OF_RING} LIMIT ring.records FOR UPDATE SKIP LOCKED
    ) AS due LIMIT {{limit}}
)
UPDATE embedding_record r SET lease_until = now() + make_interval(secs => %s)
FROM batch, document d WHERE r.id = batch.id AND d.id = r.document_id
RETURNING r.document_id, d.text, d.text_revision, (SELECT epoch::text FROM log_epoch),
          r.id, r.model_version_id, r.batch_limit, r.lease_until, r.namespace_id
"""
"""The ring: namespaces one behind the other, and past the last one from the first one on, as long as their oldest due
record may share a batch with that of the leader. The shares: one record of each in turn, until the batch is full. The
numbers of rows stand in the text: Postgres plans for them, and not for a tenth of the table."""


def claim_pending(limit: int, lease_seconds: float, after: Turn, resting: Collection[int] = ()) -> list[Claim]:
    """Take one batch of up to `limit` due records for the time of the lease; other indexers skip them.

    They are of one model version, none of those `resting`, and no more than their own limit allows: one lease covers
    one batch. The namespace behind the turn `after` leads, or the first one when none is left there, and those behind
    it share its batch.
    """
    statement, parameters = claim_statement(limit, lease_seconds, after, resting)
    return [Claim(*found) for found in prepared_rows(statement, parameters)]


def claim_statement(
    limit: int, lease_seconds: float, after: Turn, resting: Collection[int] = ()
) -> tuple[str, list[float]]:
    """The statement that claims, and its parameters. Its text depends on no more than numbers: of rows, and of versions
    that rest."""
    arcs = [*_arcs(after, resting), *_arcs(Turn(), resting)]
    leader = " UNION ALL ".join([_FIRST_OF_ARC] * len(arcs))
    return _CLAIM.format(limit=min(limit, EMBED_BATCH_ITEMS), leader=leader), [*chain(*arcs), lease_seconds]


def _arcs(after: Turn, resting: Collection[int]) -> list[tuple[int, int, int]]:
    """What is behind the turn, without the versions that rest: pieces, each from behind a version and namespace to
    before a version. To step over what rests takes no longer for many records than for few."""
    arcs = []
    for version_key in [*sorted(resting), _END]:
        if version_key > after.version_key:
            arcs.append((after.version_key, after.namespace_key, version_key))
        if version_key >= after.version_key:
            after = Turn(version_key, _END)
    return arcs


def last_turn(claims: Sequence[Claim], after: Turn) -> Turn:
    """The turn at which a claim that began behind `after` ended; what it took from the beginning of the ring has its
    turn again."""
    turns = [claim.turn for claim in claims]
    return max([turn for turn in turns if turn > after] or turns, default=after)


def any_due(resting: Collection[int] = ()) -> bool:
    """Whether a record is due of a version that does not rest, and a claim would get it: a long transaction may hold
    it, and who is told of it would ask again at once."""
    if not resting:
        return row(f"SELECT 1 FROM embedding_record WHERE {_DUE} LIMIT 1 {_UNHELD}") is not None
    arcs = _arcs(Turn(), resting)
    return row(" UNION ALL ".join([_FIRST_OF_ARC] * len(arcs)) + " LIMIT 1", [*chain(*arcs)]) is not None


def release(claims: Sequence[Claim], backoff_seconds: float, reason: str, *, batch_limit: int = 0) -> None:
    """Give claims back after a failure that was not the texts' fault; no attempt is counted. With `batch_limit` they
    are tried in batches of no more from now on."""
    execute(
        f"""
        UPDATE embedding_record r SET
            lease_until = NULL, next_attempt_at = now() + make_interval(secs => %s), last_error = %s,
            batch_limit = coalesce(nullif(%s, 0), batch_limit)
        {_STILL_HELD}
        """,
        [backoff_seconds, reason, batch_limit, *_leases(claims)],
    )


def count_failure(claims: Sequence[Claim], backoff_seconds: float, reason: str) -> None:
    """Count an attempt against texts that failed on their own account; the third quarantines."""
    execute(
        f"""
        UPDATE embedding_record r SET
            lease_until = NULL, next_attempt_at = now() + make_interval(secs => %s), last_error = %s,
            attempts = attempts + 1,
            state = CASE WHEN attempts + 1 >= %s THEN 'quarantined' ELSE 'pending' END
        {_STILL_HELD}
        """,
        [backoff_seconds, reason, MAX_ATTEMPTS, *_leases(claims)],
    )


_STILL_HELD = """
FROM unnest(%s::bigint[], %s::timestamptz[]) AS held(id, lease_until)
WHERE r.id = held.id AND r.lease_until = held.lease_until AND r.state = 'pending'
"""
"""A newer text has no lease, and another one's claim has another: neither is touched by what comes late."""


def _leases(claims: Sequence[Claim]) -> tuple[list[int], list[datetime]]:
    return [claim.record_key for claim in claims], [claim.lease_until for claim in claims]
