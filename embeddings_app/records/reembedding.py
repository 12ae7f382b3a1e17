"""Documents that a new model version lacks, found by ranges of their keys; and the leases of the chunks."""

from collections.abc import Sequence
from dataclasses import dataclass

from embeddings_app.models import ReembedChunk
from embeddings_app.records.embeddings import ReadText
from embeddings_app.records.sql import execute, row, rows

_LONG_MILLISECONDS = 600_000


@dataclass(frozen=True, slots=True)
class ChunkCounts:
    """What a batch, a chunk or a run did so far."""

    embedded: int = 0
    cached: int = 0
    refused: int = 0
    not_kept: int = 0


def newest_document_key() -> int:
    (key,) = row("SELECT coalesce(max(id), 0) FROM document")
    return int(key)


def next_keys(model_id: str, after: int, last: int, limit: int) -> list[int]:
    """Up to `limit` keys of live documents of the model, in order, beyond `after` and up to `last`."""
    found = rows(
        """
        SELECT d.id FROM document d JOIN namespace n ON n.id = d.namespace_id
        WHERE n.model_id = %s AND NOT d.deleted AND d.id > %s AND d.id <= %s ORDER BY d.id LIMIT %s
        """,
        [model_id, after, last, limit],
    )
    return [key for (key,) in found]


def texts_after(model_id: str, after: int, limit: int) -> dict[int, str]:
    """Document key -> text, of some documents of the model beyond the key `after`; empty texts are not stored."""
    found = rows(
        """
        SELECT d.id, d.text FROM document d JOIN namespace n ON n.id = d.namespace_id
        WHERE n.model_id = %s AND NOT d.deleted AND d.id > %s ORDER BY d.id LIMIT %s
        """,
        [model_id, after, limit],
    )
    return dict(found)


_LACKING = """
FROM document d JOIN namespace n ON n.id = d.namespace_id
LEFT JOIN embedding_record r ON r.document_id = d.id AND r.model_version_id = %(version)s
WHERE n.model_id = %(model)s AND NOT d.deleted AND d.id BETWEEN %(first)s AND %(last)s AND r.id IS NULL
"""
"""Documents without a record of the version; a record, whatever its state, is the business of the indexers."""


def texts_lacking(model_id: str, version_key: int, first: int, last: int, limit: int) -> list[ReadText]:
    """Up to `limit` texts in the range that the version has no record of, in the order of their keys."""
    found = rows(
        f"""
        SELECT d.id, d.text, d.text_revision, (SELECT epoch::text FROM log_epoch) {_LACKING} AND d.text <> ''
        ORDER BY d.id LIMIT %(limit)s
        """,
        {"model": model_id, "version": version_key, "first": first, "last": last, "limit": limit},
    )
    return [ReadText(*one) for one in found]


def stored_vectors(version_key: int, texts: Sequence[ReadText]) -> dict[int, bytes]:
    """Document key -> vector that a version has of exactly this text."""
    found = rows(
        """
        SELECT v.document_id, v.vector FROM unnest(%s::bigint[], %s::int[]) AS t(document_id, text_revision)
        JOIN embedding_vector v USING (document_id, text_revision) WHERE v.model_version_id = %s
        """,
        [[text.document_key for text in texts], [text.text_revision for text in texts], version_key],
    )
    return {key: bytes(vector) for key, vector in found}


def set_aside_unkept(model_id: str, version_key: int, first: int, last: int) -> int:
    """Quarantine the documents of the range whose text is not stored; how many.

    Their hash goes, as it does for every quarantined text that is not kept: the same text, sent again, is new work.
    """
    return execute(
        f"""
        WITH unkept AS (
            SELECT d.id {_LACKING} AND d.text = '' ORDER BY d.namespace_id, d.doc_id FOR NO KEY UPDATE OF d
        ), emptied AS (
            UPDATE document SET content_hash = '' FROM unkept WHERE document.id = unkept.id RETURNING document.id
        )
        INSERT INTO embedding_record (document_id, model_version_id, text_revision, content_hash, state,
                                      next_attempt_at, attempts, batch_limit, last_error, created_at)
        SELECT id, %(version)s, 0, '', 'quarantined', now(), 0, 64, 'text_not_kept', now() FROM emptied
        ON CONFLICT (document_id, model_version_id) DO NOTHING
        """,
        {"model": model_id, "version": version_key, "first": first, "last": last},
    )


def any_lacking(model_id: str, version_key: int, last: int) -> bool:
    """Whether a document up to the key `last` has no record of the version. In a transaction of its own."""
    # It reads every document once, which takes longer than a request may.
    execute(f"SET LOCAL statement_timeout = '{_LONG_MILLISECONDS}ms'")
    (found,) = row(
        f"SELECT EXISTS (SELECT 1 {_LACKING})",
        {"model": model_id, "version": version_key, "first": 0, "last": last},
    )
    return bool(found)


def any_waiting(version_key: int, last: int) -> bool:
    """Whether a document up to the key `last` still waits for its first vector of the version."""
    (found,) = row(
        """
        SELECT EXISTS (SELECT 1 FROM embedding_record
                       WHERE model_version_id = %s AND state = 'pending' AND text_revision = 0 AND document_id <= %s)
        """,
        [version_key, last],
    )
    return bool(found)


def lease_chunk(chunk_key: int, seconds: float) -> ReembedChunk | None:
    """Take an unfinished chunk that nobody works on; None for any other."""
    taken = execute(
        """
        UPDATE reembed_chunk SET lease_until = now() + make_interval(secs => %s)
        WHERE id = %s AND finished_at IS NULL AND (lease_until IS NULL OR lease_until < now())
        """,
        [seconds, chunk_key],
    )
    return ReembedChunk.objects.select_related("run__model_version").filter(pk=chunk_key).first() if taken else None


def add_counts(chunk: ReembedChunk, counts: ChunkCounts, lease_seconds: float) -> bool:
    """Add what a batch did, renew the lease, and say whether the run goes on: a restore may have taken it away."""
    running = row(
        """
        WITH counted AS (
            UPDATE reembed_chunk SET embedded = embedded + %(embedded)s, cached = cached + %(cached)s,
                refused = refused + %(refused)s, not_kept = not_kept + %(not_kept)s,
                lease_until = now() + make_interval(secs => %(lease)s)
            WHERE id = %(chunk)s
        )
        UPDATE reembed_run SET progressed_at = now(), problem = '' WHERE id = %(run)s RETURNING state = 'running'
        """,
        {
            "embedded": counts.embedded,
            "cached": counts.cached,
            "refused": counts.refused,
            "not_kept": counts.not_kept,
            "lease": lease_seconds,
            "chunk": chunk.pk,
            "run": chunk.run_id,
        },
    )
    return running is not None and bool(running[0])


def end_lease(chunk_key: int, *, finished: bool) -> None:
    execute(
        """
        UPDATE reembed_chunk SET lease_until = NULL, finished_at = CASE WHEN %s THEN now() ELSE finished_at END
        WHERE id = %s AND finished_at IS NULL
        """,
        [finished, chunk_key],
    )


def run_counts(run_key: int) -> ChunkCounts:
    """What all chunks of a run did so far."""
    return counts_of_runs([run_key])[run_key]


def counts_of_runs(run_keys: Sequence[int]) -> dict[int, ChunkCounts]:
    """Run -> what all chunks of it did so far, for each of the runs."""
    found = rows(
        """
        SELECT run_id, sum(embedded), sum(cached), sum(refused), sum(not_kept)
        FROM reembed_chunk WHERE run_id = ANY(%s) GROUP BY run_id
        """,
        [list(run_keys)],
    )
    counted = {key: ChunkCounts(*(int(count) for count in counts)) for key, *counts in found}
    return {key: counted.get(key, ChunkCounts()) for key in run_keys}
