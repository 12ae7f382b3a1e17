"""What operators watch, as Postgres knows it: work that waits, and how far replicas are. Every query is bounded."""

from dataclasses import dataclass

from django.db import connection

from embeddings_app.models import ModelStatus
from embeddings_app.records.topology import HEARTBEAT_SECONDS

COUNTED = 100_000
"""Records are counted up to here."""
_OLDEST_AMONG = 1_000
_MAX_REPLICAS = 10_000
_FORGOTTEN_SECONDS = 3_600
"""A replica that was silent for longer was taken away on purpose."""


@dataclass(frozen=True, slots=True)
class VersionWork:
    """Records of one model version that are not embedded."""

    model_id: str
    version: int
    pending: int
    quarantined: int


@dataclass(frozen=True, slots=True)
class ReplicaProgress:
    """One replica with one model version."""

    model_id: str
    version: int
    shard: int
    replica: int
    ready: bool
    lag: int
    """Log entries it has not applied."""
    heartbeat_seconds: float
    """Since its last sign of life."""
    documents: int
    graph_documents: int


def version_work() -> list[VersionWork]:
    """The work of every version that is neither a draft nor retired."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH pending AS (
                SELECT model_version_id AS id, count(*) AS records
                FROM (SELECT model_version_id FROM embedding_record WHERE state = 'pending' LIMIT %(limit)s) AS p
                GROUP BY model_version_id
            ), quarantined AS (
                SELECT model_version_id AS id, count(*) AS records
                FROM (SELECT model_version_id FROM embedding_record WHERE state = 'quarantined' LIMIT %(limit)s) AS q
                GROUP BY model_version_id
            )
            SELECT m.model_id, m.version, coalesce(p.records, 0), coalesce(q.records, 0)
            FROM model_registry m LEFT JOIN pending p USING (id) LEFT JOIN quarantined q USING (id)
            WHERE m.status <> ALL (%(without)s)
            """,
            {"limit": COUNTED, "without": [ModelStatus.DRAFT, ModelStatus.RETIRED]},
        )
        return [VersionWork(*row) for row in cursor.fetchall()]


def oldest_pending_seconds() -> float:
    """Age of the oldest write that still waits for its vector, among the records to be tried next; 0 without any."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT coalesce(extract(epoch FROM now() - min(greatest(d.updated_at, r.created_at))), 0)::float8
            FROM (SELECT document_id, created_at FROM embedding_record WHERE state = 'pending'
                  ORDER BY next_attempt_at LIMIT %s) AS r
            JOIN document d ON d.id = r.document_id
            """,
            [_OLDEST_AMONG],
        )
        seconds: float = cursor.fetchone()[0]
    return max(seconds, 0.0)


def replica_progress() -> list[ReplicaProgress]:
    """The replicas of the active layout that gave a sign of life within the last hour."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT m.model_id, m.version, r.shard, r.replica,
                   r.state = 'ready' AND r.epoch = e.epoch AND r.heartbeat > now() - make_interval(secs => %s),
                   greatest(c.head - CASE WHEN r.epoch = e.epoch THEN r.applied_seq ELSE 0 END, 0),
                   extract(epoch FROM now() - r.heartbeat)::float8, r.documents, r.graph_documents
            FROM shard_replica r
            JOIN layout l ON l.id = r.layout_id AND l.status = 'active'
            JOIN model_registry m ON m.id = r.model_version_id
            JOIN shard_counter c
              ON c.layout_id = r.layout_id AND c.model_version_id = r.model_version_id AND c.shard = r.shard
            CROSS JOIN log_epoch e
            WHERE r.heartbeat > now() - make_interval(secs => %s)
            LIMIT %s
            """,
            [HEARTBEAT_SECONDS, _FORGOTTEN_SECONDS, _MAX_REPLICAS],
        )
        return [ReplicaProgress(*row) for row in cursor.fetchall()]
