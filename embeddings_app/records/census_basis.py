"""What a count by the index must know from Postgres: how far the logs are, and what the index cannot count."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from embedding_project.contracts.metadata import stored_metadata
from embeddings_app.models import ModelStatus
from embeddings_app.records.sql import row

MOST_OTHERS = 4_096
"""Documents that a count takes from Postgres one by one."""


@dataclass(frozen=True, slots=True)
class OtherDocument:
    """One that waits for a vector, has none, or has an older one than its text; or one whose time is over."""

    key: int
    is_shown: bool
    metadata: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CensusBasis:
    epoch: str
    heads: Mapping[int, int]
    """Shard -> position of its log."""
    others: tuple[OtherDocument, ...]
    """In the order of their keys. Every other document is in the index once it is at the heads."""


def read_basis(namespace_key: int, version_key: int, layout: int, most: int = MOST_OTHERS) -> CensusBasis | None:
    """All of one moment; None when the version is not the active one, when a bulk job of it has not ended, and when
    more than `most` documents, of any namespace, wait for work."""
    # One statement is one moment. Each part reads an index that has rows for such documents only.
    epoch, active, hidden, waiting, heads, keys, shown, metadata = row(
        """
        WITH pending AS MATERIALIZED (
            SELECT document_id, model_version_id FROM embedding_record WHERE state = 'pending'
            ORDER BY next_attempt_at LIMIT %(limit)s
        ), quarantined AS MATERIALIZED (
            SELECT document_id FROM embedding_record WHERE state = 'quarantined' AND model_version_id = %(version)s
            ORDER BY id LIMIT %(limit)s
        ), expired AS MATERIALIZED (
            SELECT id FROM document WHERE NOT deleted AND expires_at <= now() ORDER BY expires_at LIMIT %(limit)s
        ), others AS MATERIALIZED (
            SELECT d.id, d.expires_at IS NULL OR d.expires_at > now() AS shown, d.metadata::text AS metadata FROM (
                SELECT document_id AS id FROM pending WHERE model_version_id = %(version)s
                UNION SELECT document_id FROM quarantined UNION SELECT id FROM expired
            ) AS o JOIN document d USING (id) WHERE d.namespace_id = %(namespace)s AND NOT d.deleted
        )
        SELECT (SELECT epoch::text FROM log_epoch),
               EXISTS (SELECT 1 FROM model_registry WHERE id = %(version)s AND status = %(active)s),
               EXISTS (SELECT 1 FROM bulk_block WHERE model_version_id = %(version)s AND opened_to < last_key)
               OR EXISTS (SELECT 1 FROM bulk_touched t JOIN bulk_block b USING (job_id)
                          WHERE b.model_version_id = %(version)s),
               greatest((SELECT count(*) FROM pending), (SELECT count(*) FROM quarantined),
                        (SELECT count(*) FROM expired)),
               (SELECT array_agg(ARRAY[shard::bigint, head]) FROM shard_counter
                WHERE layout_id = %(layout)s AND model_version_id = %(version)s),
               (SELECT array_agg(id ORDER BY id) FROM others),
               (SELECT array_agg(shown ORDER BY id) FROM others),
               (SELECT array_agg(metadata ORDER BY id) FROM others)
        """,
        {
            "namespace": namespace_key,
            "version": version_key,
            "layout": layout,
            "active": ModelStatus.ACTIVE.value,
            "limit": most + 1,
        },
    )
    if not active or hidden or waiting > most or not heads:
        return None
    others = zip(keys or (), shown or (), map(stored_metadata, metadata or ()), strict=True)
    return CensusBasis(epoch, dict(heads), tuple(OtherDocument(*one) for one in others))
