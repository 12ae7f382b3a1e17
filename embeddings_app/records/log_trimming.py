"""The old ends of the logs, and the tombstones that only they still name.

A log loses its oldest entries and nothing else, so a follower either continues, or finds a gap and loads its shard
again. A tombstone goes with the last entry that names it: that entry's chunk is the only cheap place to find it again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from embeddings_app.models import LIVE_STATUSES
from embeddings_app.records.bulk_blocks import unregistered
from embeddings_app.records.sql import execute, row, rows


@dataclass(frozen=True, slots=True)
class LogFloor:
    """One log, and the last sequence number that no replica needs any more."""

    layout: int
    version_key: int
    shard: int
    floor: int


def log_floors(retention_hours: int) -> list[LogFloor]:
    """Every log with its floor: what all its replicas that reported within the retention have applied, and, where they
    keep snapshots, what their oldest one holds. A replica that has no room for the version needs nothing but for these.
    A log nobody follows, such as a retired version's, is needed by none.
    """
    found = rows(
        """
        SELECT c.layout_id, c.model_version_id, c.shard,
               coalesce(min(least(CASE WHEN r.state <> 'no_room' THEN r.applied_seq END, nullif(r.snapshot_seq, 0))),
                        c.head)
        FROM shard_counter c
        JOIN layout l ON l.id = c.layout_id
        JOIN model_registry m ON m.id = c.model_version_id
        LEFT JOIN shard_replica r
            ON (r.layout_id, r.model_version_id, r.shard) = (c.layout_id, c.model_version_id, c.shard)
           AND r.heartbeat > now() - make_interval(hours => %s) AND r.epoch = (SELECT epoch FROM log_epoch)
           AND l.status <> 'retired' AND m.status = ANY(%s)
        GROUP BY c.layout_id, c.model_version_id, c.shard, c.head
        ORDER BY c.layout_id, c.model_version_id, c.shard
        """,
        [retention_hours, list(LIVE_STATUSES)],
    )
    return [LogFloor(*row) for row in found]


def trim_chunk(log: LogFloor, retention_hours: int, limit: int) -> tuple[int, int]:
    """Delete up to `limit` of the oldest entries, those at or below the floor and older than the retention, with the
    tombstones that no log names any more; gives how many of either. In the caller's transaction."""
    found = rows(
        """
        WITH oldest AS MATERIALIZED (
            SELECT seq, created_at < now() - make_interval(hours => %(hours)s) AS old FROM shard_change
            WHERE layout_id = %(layout)s AND model_version_id = %(version)s AND shard = %(shard)s
              AND seq <= %(floor)s
            ORDER BY seq LIMIT %(limit)s
        )
        DELETE FROM shard_change
        WHERE layout_id = %(layout)s AND model_version_id = %(version)s AND shard = %(shard)s
          -- Times do not quite follow the numbers: what lies behind a younger entry stays, or there would be a gap.
          AND seq < coalesce((SELECT min(seq) FROM oldest WHERE NOT old), (SELECT max(seq) + 1 FROM oldest))
        RETURNING document_id
        """,
        {
            "layout": log.layout,
            "version": log.version_key,
            "shard": log.shard,
            "floor": log.floor,
            "hours": retention_hours,
            "limit": limit,
        },
    )
    named = [document_key for (document_key,) in found]
    return len(named), _purge_tombstones(log.version_key, named, retention_hours) if named else 0


def empty_chunk(log: LogFloor, after: int, limit: int) -> int | None:
    """Of a log that nobody reads any more, look at the next `limit` entries after a sequence number, and delete all but
    those that name a tombstone: trimming takes these later, with their tombstones. Gives the last sequence number that
    was looked at, None at the end. In the caller's transaction."""
    (last,) = row(
        """
        WITH next AS MATERIALIZED (
            SELECT seq, document_id FROM shard_change
            WHERE layout_id = %(layout)s AND model_version_id = %(version)s AND shard = %(shard)s AND seq > %(after)s
            ORDER BY seq LIMIT %(limit)s
        ), deleted AS (
            DELETE FROM shard_change s USING next
            WHERE s.layout_id = %(layout)s AND s.model_version_id = %(version)s AND s.shard = %(shard)s
              AND s.seq = next.seq
              AND NOT EXISTS (SELECT 1 FROM document d WHERE d.id = next.document_id AND d.deleted)
        )
        SELECT max(seq) FROM next
        """,
        {"layout": log.layout, "version": log.version_key, "shard": log.shard, "after": after, "limit": limit},
    )
    return None if last is None else int(last)


def _purge_tombstones(version_key: int, document_keys: Sequence[int | None], retention_hours: int) -> int:
    """Delete those of the documents that are tombstones older than the retention, and than all that is left in the logs
    of their shard under every version of the model."""
    return execute(
        f"""
        WITH oldest AS MATERIALIZED (
            SELECT l.shards, c.shard, first.created_at
            FROM shard_counter c
            JOIN layout l ON l.id = c.layout_id
            JOIN model_registry m ON m.id = c.model_version_id
            JOIN model_registry same ON same.model_id = m.model_id AND same.id = %(version)s
            CROSS JOIN LATERAL (
                SELECT created_at FROM shard_change s
                WHERE (s.layout_id, s.model_version_id, s.shard) = (c.layout_id, c.model_version_id, c.shard)
                ORDER BY seq LIMIT 1
            ) AS first
        ), purged AS (
            SELECT d.id FROM document d
            WHERE d.id = ANY(%(keys)s) AND d.deleted AND d.updated_at < now() - make_interval(hours => %(hours)s)
              -- Times do not quite follow the numbers; a minute is longer than any transaction. A tombstone that
              -- goes a minute too early leaves a gap: a replica that needs its entry loads its shard again.
              AND NOT EXISTS (SELECT 1 FROM oldest o WHERE o.shard = d.shard_hash %% o.shards
                              AND o.created_at < d.updated_at - interval '1 minute')
              -- The end of its bulk job names it in the log once more.
              AND NOT {unregistered("d")}
            ORDER BY d.namespace_id, d.doc_id FOR UPDATE
        )
        DELETE FROM document d USING purged WHERE d.id = purged.id
        """,
        {"version": version_key, "keys": list(document_keys), "hours": retention_hours},
    )


def log_entries() -> int:
    """Entries in all logs together."""
    (entries,) = row(
        """
        SELECT coalesce(sum(c.head - first.seq + 1), 0)::bigint FROM shard_counter c
        CROSS JOIN LATERAL (
            SELECT seq FROM shard_change s
            WHERE (s.layout_id, s.model_version_id, s.shard) = (c.layout_id, c.model_version_id, c.shard)
            ORDER BY seq LIMIT 1
        ) AS first
        """
    )
    return int(entries)


def is_empty(log: LogFloor) -> bool:
    """Whether the log has no entry."""
    (entry,) = row(
        """
        SELECT EXISTS (SELECT 1 FROM shard_change WHERE layout_id = %s AND model_version_id = %s AND shard = %s)
        """,
        [log.layout, log.version_key, log.shard],
    )
    return not entry
