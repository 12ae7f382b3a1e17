"""What an operator asks of tables with millions of rows, answered without reading them whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db import connection, transaction

COUNT_CAP = 10_000
"""Counts stop here."""
NAMESPACE_COUNT_CAP = 1_000
SEARCH_LIMIT = 200
"""Documents that a search by the beginning of an id finds at most."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """Records that are not ready, each number at most COUNT_CAP + 1."""

    pending: int
    quarantined: int


@dataclass(frozen=True, slots=True)
class DocumentCount:
    """How many documents a namespace has: counted up to NAMESPACE_COUNT_CAP, beyond that estimated or None."""

    counted: int
    estimated: int | None

    def __str__(self) -> str:
        if self.counted <= NAMESPACE_COUNT_CAP:
            return f"{self.counted:,}"
        return f"more than {NAMESPACE_COUNT_CAP:,}" if self.estimated is None else f"about {self.estimated:,}"


def backlog(deadline_seconds: float) -> Backlog:
    """Pending and quarantined records. Raises OperationalError after `deadline_seconds`."""
    # The order makes either count a walk along its partial index.
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = {int(deadline_seconds * 1000)}")
        cursor.execute(
            """
            SELECT (SELECT count(*) FROM (SELECT 1 FROM embedding_record WHERE state = 'pending'
                                          ORDER BY next_attempt_at LIMIT %(limit)s) AS pending),
                   (SELECT count(*) FROM (SELECT 1 FROM embedding_record WHERE state = 'quarantined'
                                          ORDER BY model_version_id, id LIMIT %(limit)s) AS quarantined)
            """,
            {"limit": COUNT_CAP + 1},
        )
        return Backlog(*cursor.fetchone())


def count_quarantined(version_keys: Sequence[int]) -> dict[int, int]:
    """Version key -> quarantined records, at most COUNT_CAP + 1 of each."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT v.id, (SELECT count(*) FROM (SELECT 1 FROM embedding_record r
                                                WHERE r.model_version_id = v.id AND r.state = 'quarantined'
                                                ORDER BY r.id LIMIT %s) AS capped)
            FROM unnest(%s::bigint[]) AS v(id)
            """,
            [COUNT_CAP + 1, list(version_keys)],
        )
        return dict(cursor.fetchall())


def count_documents(namespace_keys: Sequence[int]) -> dict[int, DocumentCount]:
    """Namespace key -> how many live documents it has, as far as statistics know."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT n.id, (SELECT count(*) FROM (SELECT 1 FROM document d WHERE d.namespace_id = n.id AND NOT d.deleted
                                                ORDER BY d.doc_id LIMIT %s) AS capped)
            FROM unnest(%s::bigint[]) AS n(id)
            """,
            [NAMESPACE_COUNT_CAP + 1, list(namespace_keys)],
        )
        counted: list[tuple[int, int]] = cursor.fetchall()
    large = any(count > NAMESPACE_COUNT_CAP for _, count in counted)
    estimates = _estimated_documents() if large else {}
    return {key: DocumentCount(count, estimates.get(key)) for key, count in counted}


def _estimated_documents() -> Mapping[int, int]:
    """Namespace key -> rows, of the namespaces that Postgres found most common in its sample."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT common.namespace_id, (common.share * c.reltuples)::bigint
            FROM pg_stats s
            JOIN pg_class c ON c.oid = 'document'::regclass AND c.relname = s.tablename,
            unnest(s.most_common_vals::text::bigint[], s.most_common_freqs) AS common(namespace_id, share)
            WHERE s.schemaname = current_schema() AND s.tablename = 'document' AND s.attname = 'namespace_id'
            """
        )
        return dict(cursor.fetchall())


def find_by_prefix(prefix: str, namespace_key: int | None) -> list[int]:
    """Keys of documents whose id begins with `prefix`, SEARCH_LIMIT at most, in one namespace or in any."""
    pattern = prefix.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_") + "%"
    with connection.cursor() as cursor:
        # One look into the index on (namespace, id) for each namespace, until there are enough.
        cursor.execute(
            """
            SELECT found.id FROM namespace n CROSS JOIN LATERAL (
                SELECT d.id FROM document d WHERE d.namespace_id = n.id AND d.doc_id LIKE %(pattern)s
                ORDER BY d.doc_id LIMIT %(limit)s) AS found
            WHERE %(namespace)s::bigint IS NULL OR n.id = %(namespace)s LIMIT %(limit)s
            """,
            {"pattern": pattern, "namespace": namespace_key, "limit": SEARCH_LIMIT},
        )
        return [row[0] for row in cursor.fetchall()]


def estimated_rows(table: str) -> int:
    """Rows of `table` by the statistics of Postgres; -1 before the first ANALYZE."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass(%s)", [table])
        row = cursor.fetchone()
    return int(row[0]) if row else -1
