"""What operators ask: of tables with millions of rows, without reading them whole, and of replicas."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from embedding_project.contracts.vector_storage import VectorStorage
from embeddings_app.models import LIVE_STATUSES
from embeddings_app.records.sql import row, rows
from embeddings_app.records.topology import HEARTBEAT_SECONDS

COUNT_CAP = 10_000
"""Counts stop here."""
NAMESPACE_COUNT_CAP = 1_000
SEARCH_LIMIT = 200
"""Documents that a search by the beginning of an id finds at most."""
_WORK_CAP = 100_000
"""Records that wait are counted up to here."""
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
    unbuilt_documents: int
    """Of the namespace that has the most of them."""
    problem: str
    """Why it is not loaded; empty when it is, or will be."""
    state: str
    loading_total: int
    """Documents that it has to load while it loads; 0 when unknown."""
    snapshot_seconds: float | None
    """Since its newest snapshot was verified; None without one."""
    memory_bytes: int | None
    """Of its process, which may serve other versions too; None when it does not say."""
    free_memory_bytes: int | None
    """What its process may still take."""
    dimension: int
    storage: str
    """How it holds the vectors in graphs."""

    @property
    def vector_bytes(self) -> int:
        """Of the numbers of one vector in a graph."""
        return VectorStorage(self.storage).bytes_a_number * self.dimension


@dataclass(frozen=True, slots=True)
class DocumentCount:
    """How many documents a namespace has: counted up to NAMESPACE_COUNT_CAP, beyond that estimated or None."""

    counted: int
    estimated: int | None

    def __str__(self) -> str:
        if self.counted <= NAMESPACE_COUNT_CAP:
            return f"{self.counted:,}"
        return f"more than {NAMESPACE_COUNT_CAP:,}" if self.estimated is None else f"about {self.estimated:,}"


def version_work(limit: int = _WORK_CAP) -> list[VersionWork]:
    """The work of every version that writes reach: of either kind up to `limit` records together."""
    found = rows(
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
        WHERE m.status = ANY (%(live)s)
        """,
        {"limit": limit, "live": list(LIVE_STATUSES)},
    )
    return [VersionWork(*one) for one in found]


def oldest_pending_seconds() -> float:
    """Age of the oldest write that still waits for its vector, among the records to be tried next; 0 without any."""
    (seconds,) = row(
        """
        SELECT coalesce(extract(epoch FROM now() - min(greatest(d.updated_at, r.created_at))), 0)::float8
        FROM (SELECT document_id, created_at FROM embedding_record WHERE state = 'pending'
              ORDER BY next_attempt_at LIMIT %s) AS r
        JOIN document d ON d.id = r.document_id
        """,
        [_OLDEST_AMONG],
    )
    return max(float(seconds), 0.0)


def replica_progress() -> list[ReplicaProgress]:
    """The replicas of the active layout that gave a sign of life within the last hour."""
    found = rows(
        """
        SELECT m.model_id, m.version, r.shard, r.replica,
               r.state = 'ready' AND r.epoch = e.epoch AND r.heartbeat > now() - make_interval(secs => %s),
               greatest(c.head - CASE WHEN r.epoch = e.epoch THEN r.applied_seq ELSE 0 END, 0),
               extract(epoch FROM now() - r.heartbeat)::float8, r.documents, r.graph_documents,
               r.unbuilt_documents, r.problem, r.state, r.loading_total,
               extract(epoch FROM now() - r.snapshot_at)::float8,
               nullif(r.memory_bytes, 0), CASE WHEN r.memory_bytes > 0 THEN r.free_memory_bytes END,
               m.dimension, m.storage
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
    return [ReplicaProgress(*one) for one in found]


def count_quarantined(version_keys: Sequence[int]) -> dict[int, int]:
    """Version key -> quarantined records, at most COUNT_CAP + 1 of each."""
    found = rows(
        """
        SELECT v.id, (SELECT count(*) FROM (SELECT 1 FROM embedding_record r
                                            WHERE r.model_version_id = v.id AND r.state = 'quarantined'
                                            ORDER BY r.id LIMIT %s) AS capped)
        FROM unnest(%s::bigint[]) AS v(id)
        """,
        [COUNT_CAP + 1, list(version_keys)],
    )
    return dict(found)


def count_documents(namespace_keys: Sequence[int]) -> dict[int, DocumentCount]:
    """Namespace key -> how many live documents it has, as far as statistics know."""
    counted = rows(
        """
        SELECT n.id, (SELECT count(*) FROM (SELECT 1 FROM document d WHERE d.namespace_id = n.id AND NOT d.deleted
                                            ORDER BY d.doc_id LIMIT %s) AS capped)
        FROM unnest(%s::bigint[]) AS n(id)
        """,
        [NAMESPACE_COUNT_CAP + 1, list(namespace_keys)],
    )
    large = any(count > NAMESPACE_COUNT_CAP for _, count in counted)
    estimates = _estimated_documents() if large else {}
    return {key: DocumentCount(count, estimates.get(key)) for key, count in counted}


def _estimated_documents() -> Mapping[int, int]:
    """Namespace key -> rows, of the namespaces that Postgres found most common in its sample."""
    found = rows(
        """
        SELECT common.namespace_id, (common.share * c.reltuples)::bigint
        FROM pg_stats s
        JOIN pg_class c ON c.oid = 'document'::regclass AND c.relname = s.tablename,
        unnest(s.most_common_vals::text::bigint[], s.most_common_freqs) AS common(namespace_id, share)
        WHERE s.schemaname = current_schema() AND s.tablename = 'document' AND s.attname = 'namespace_id'
        """
    )
    return dict(found)


def find_by_prefix(prefix: str, namespace_key: int | None) -> list[int]:
    """Keys of documents whose id begins with `prefix`, SEARCH_LIMIT at most, in one namespace or in any."""
    pattern = prefix.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_") + "%"
    # One look into the index on (namespace, id) for each namespace, until there are enough.
    found = rows(
        """
        SELECT found.id FROM namespace n CROSS JOIN LATERAL (
            SELECT d.id FROM document d WHERE d.namespace_id = n.id AND d.doc_id LIKE %(pattern)s
            ORDER BY d.doc_id LIMIT %(limit)s) AS found
        WHERE %(namespace)s::bigint IS NULL OR n.id = %(namespace)s LIMIT %(limit)s
        """,
        {"pattern": pattern, "namespace": namespace_key, "limit": SEARCH_LIMIT},
    )
    return [key for (key,) in found]


def estimated_rows(table: str) -> int:
    """Rows of `table` by the statistics of Postgres; -1 before the first ANALYZE."""
    found = row("SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass(%s)", [table])
    return int(found[0]) if found else -1
