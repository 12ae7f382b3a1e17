"""Counts of one namespace that read a bounded number of rows, however many there are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from embeddings_app.records.bulk_blocks import hidden
from embeddings_app.records.sql import row

COUNT_CAP = 100_000
"""Rows that one count looks at."""


@dataclass(frozen=True, slots=True)
class NamespaceCounts:
    """Of the first `cap` documents of a namespace, by id."""

    count: int
    pending: int
    indexed: int
    """Documents with a vector, be it of an earlier text."""
    quarantined: int
    silent: int
    """Those of `indexed` that lie in silent shards."""
    last_write_at: datetime | None
    """Of the newest of them; None when there is none."""


def count_first(
    namespace_key: int, version_key: int, shards: int, silent: Sequence[int], cap: int
) -> tuple[NamespaceCounts, bool]:
    """Live documents by state, and whether these are all documents."""
    found = row(
        f"""
        SELECT count(*), count(*) FILTER (WHERE state = 'pending' OR state = 'ready' AND hidden),
               count(*) FILTER (WHERE text_revision > 0 AND NOT hidden),
               count(*) FILTER (WHERE state = 'quarantined'),
               count(*) FILTER (WHERE text_revision > 0 AND NOT hidden AND shard_hash %% %s = ANY(%s::int[])),
               max(updated_at)
        FROM (SELECT d.shard_hash, d.updated_at, r.state, r.text_revision, {hidden("d", "r.model_version_id")} AS hidden
              FROM (SELECT id, shard_hash, revision, updated_at FROM document WHERE namespace_id = %s AND NOT deleted
                    ORDER BY doc_id LIMIT %s) AS d
              LEFT JOIN embedding_record r ON r.document_id = d.id AND r.model_version_id = %s) AS first
        """,
        [shards, list(silent), namespace_key, cap + 1, version_key],
    )
    counts = NamespaceCounts(*found)
    return counts, counts.count <= cap


def count_in_state(namespace_key: int, version_key: int, cap: int) -> tuple[int, int]:
    """Pending and quarantined documents among the first `cap` records in that state, of any namespace."""
    # The order makes either count a walk along its partial index.
    pending, quarantined = row(
        """
        SELECT (SELECT count(*) FROM (
                    SELECT document_id FROM embedding_record WHERE model_version_id = %(version)s
                    AND state = 'pending' ORDER BY next_attempt_at LIMIT %(cap)s) AS r
                JOIN document d ON d.id = r.document_id AND d.namespace_id = %(namespace)s),
               (SELECT count(*) FROM (
                    SELECT document_id FROM embedding_record WHERE model_version_id = %(version)s
                    AND state = 'quarantined' ORDER BY id LIMIT %(cap)s) AS r
                JOIN document d ON d.id = r.document_id AND d.namespace_id = %(namespace)s)
        """,
        {"namespace": namespace_key, "version": version_key, "cap": cap},
    )
    return pending, quarantined


def count_unapplied(
    namespace_key: int, layout: int, version_key: int, applied: Mapping[int, int], cap: int
) -> tuple[int, bool]:
    """Documents with a vector that `cap` log entries after `applied` (shard -> sequence number) name, and whether
    there are no more entries."""
    count, whole = row(
        """
        SELECT count(DISTINCT r.document_id), count(*) <= %s
        FROM (SELECT c.document_id
              FROM unnest(%s::int[], %s::bigint[]) AS a(shard, seq)
              JOIN shard_change c ON c.layout_id = %s AND c.model_version_id = %s AND c.shard = a.shard
                                     AND c.seq > a.seq LIMIT %s) AS c
        LEFT JOIN document d ON d.id = c.document_id AND d.namespace_id = %s AND NOT d.deleted
        LEFT JOIN embedding_record r ON r.document_id = d.id AND r.model_version_id = %s AND r.text_revision > 0
        """,
        [cap, list(applied), list(applied.values()), layout, version_key, cap + 1, namespace_key, version_key],
    )
    return count, whole
