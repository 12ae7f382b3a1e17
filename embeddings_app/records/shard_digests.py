"""What every replica of a version must hold, as digests that the replicas compute too, and requests to load again.

A digest is the sum over the documents of a shard of the first 8 bytes of an MD5 of key, revision and text revision,
modulo 2^63. `index_nodes.tally` computes the same.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from django.db import transaction

from embeddings_app.records.bulk_blocks import hidden
from embeddings_app.records.sql import execute, rows
from embeddings_app.records.topology import HEARTBEAT_SECONDS

RANGE_DOCUMENTS = 20_000
"""Read by one statement, in a fraction of a second."""
_MODULUS = 2**63


@dataclass(frozen=True, slots=True)
class Log:
    """One log of a version, and its replica."""

    layout: int
    version_key: int
    shard: int
    replica: int


@dataclass(slots=True)
class Contents:
    """What a shard holds by the tables."""

    digest: int = 0
    documents: int = 0
    unsettled: int = 0
    """Documents whose text changed since their vector was made: replicas may know either revision of them."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Replicas and tables, as of one moment."""

    same: tuple[Log, ...]
    differ: tuple[Log, ...]
    unsettled: tuple[Log, ...]
    """Cannot be compared now."""


def compare(layout: int, shards: int, version_key: int, go_on: Callable[[], bool]) -> Comparison | None:
    """Compare the replicas of the version that are ready and have applied all of their log with the tables. Others are
    left out. None when `go_on` said no before all ranges were read.

    One snapshot of the tables for all of it: it holds back what VACUUM may remove, so it must not last long.
    """
    with transaction.atomic():
        execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        reported = _reported(layout, version_key)
        if not reported:
            return Comparison((), (), ())
        contents = _contents(shards, version_key, go_on)
    if contents is None:
        return None
    unsettled = [log for log in reported if contents[log.shard].unsettled]
    settled = {log: found for log, found in reported.items() if log not in unsettled}
    same = {log for log, (digest, documents) in settled.items() if _equal(contents[log.shard], digest, documents)}
    return Comparison(tuple(same), tuple(log for log in settled if log not in same), tuple(unsettled))


def _equal(contents: Contents, digest: int, documents: int) -> bool:
    return (contents.digest, contents.documents) == (digest, documents)


def _reported(layout: int, version_key: int) -> dict[Log, tuple[int, int]]:
    """Replica -> digest and documents, of those that say that they hold what the tables hold."""
    found = rows(
        """
        SELECT r.shard, r.replica, r.digest, r.documents FROM shard_replica r
        JOIN shard_counter c USING (layout_id, model_version_id, shard)
        JOIN log_epoch e ON e.epoch = r.epoch
        WHERE r.layout_id = %s AND r.model_version_id = %s AND r.state = 'ready' AND NOT r.rebuild_wanted
          AND r.applied_seq = c.head AND r.heartbeat > now() - make_interval(secs => %s)
        ORDER BY r.shard, r.replica
        """,
        [layout, version_key, HEARTBEAT_SECONDS],
    )
    return {Log(layout, version_key, shard, replica): (digest, count) for shard, replica, digest, count in found}


def _contents(shards: int, version_key: int, go_on: Callable[[], bool]) -> dict[int, Contents] | None:
    """Shard -> what it holds, of all shards of the version in one walk along the keys."""
    contents: dict[int, Contents] = defaultdict(Contents)
    after = 0
    while go_on():
        found = _range(shards, version_key, after)
        if not found:
            return contents
        for shard, documents, digest, unsettled, last_key in found:
            after = last_key
            if shard is not None:
                part = contents[shard]
                part.digest = (part.digest + int(digest)) % _MODULUS
                part.documents += documents
                part.unsettled += unsettled
    return None


def _range(shards: int, version_key: int, after: int) -> list[tuple[int | None, int, int, int, int]]:
    """Shard, documents, sum of the hashes, unsettled documents and last key of the range, for each shard in it."""
    return rows(
        f"""
        WITH v AS MATERIALIZED (
            SELECT document_id, text_revision FROM embedding_vector
            WHERE model_version_id = %(version)s AND document_id > %(after)s ORDER BY document_id LIMIT %(limit)s
        )
        SELECT d.shard_hash %% %(shards)s, count(d.id),
               sum(('x' || left(md5(d.id || ':' || d.revision || ':' || v.text_revision), 16))::bit(64)::bigint
                   & 9223372036854775807),
               count(*) FILTER (WHERE d.text_revision <> v.text_revision), (SELECT max(document_id) FROM v)
        FROM v LEFT JOIN document d ON d.id = v.document_id AND NOT d.deleted
          -- Else the planner may read the whole table for each range.
          AND d.id > %(after)s AND d.id <= (SELECT max(document_id) FROM v)
          AND NOT {hidden("d", "%(version)s")}
        GROUP BY 1
        """,
        {"version": version_key, "after": after, "limit": RANGE_DOCUMENTS, "shards": shards},
    )


def want_rebuild(log: Log) -> bool:
    """Ask the replica to load its index again; whether it was asked.

    It is not while no other replica answers for the shard, or while another one loads again, unless the layout has one
    replica of each shard only: then there is nobody to wait for.
    """
    asked = execute(
        """
        UPDATE shard_replica r SET rebuild_wanted = true
        FROM layout l WHERE l.id = r.layout_id AND NOT r.rebuild_wanted
          AND r.layout_id = %(layout)s AND r.model_version_id = %(version)s AND r.shard = %(shard)s
          AND r.replica = %(replica)s AND (l.replicas = 1 OR EXISTS (
              SELECT 1 FROM shard_replica o JOIN log_epoch e ON e.epoch = o.epoch
              WHERE (o.layout_id, o.model_version_id, o.shard) = (r.layout_id, r.model_version_id, r.shard)
                AND o.replica <> r.replica AND o.state = 'ready' AND NOT o.rebuild_wanted
                AND o.heartbeat > now() - make_interval(secs => %(fresh)s)))
        """,
        {
            "layout": log.layout,
            "version": log.version_key,
            "shard": log.shard,
            "replica": log.replica,
            "fresh": HEARTBEAT_SECONDS,
        },
    )
    return bool(asked)
