"""Blocks of document keys that bulk jobs fill, and what is hidden in them.

While a block is closed, nobody sees the vectors of its documents that are still as the job wrote them. A document that
a client changed meanwhile is seen at once, with an entry of the log of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from embeddings_app.records.sql import execute, row, rows

FIRST_KEY = 2**40
"""Below are the keys that Postgres gives by itself. Numbers of JSON are exact far beyond."""


@dataclass(frozen=True, slots=True)
class Block:
    first_key: int
    last_key: int
    opened_to: int


def hidden(document: str, version_key: str) -> str:
    """SQL: whether the vector that the version has of the document, an alias of its table, is hidden. The views of
    index nodes have the same rule."""
    # The first two comparisons are all that most documents cost.
    return f"""({document}.revision = 1 AND {document}.id >= {FIRST_KEY} AND EXISTS (
        SELECT 1 FROM bulk_block b
        WHERE b.opened_to < b.last_key AND {document}.id > b.opened_to AND {document}.id <= b.last_key
          AND b.model_version_id = {version_key}))"""


def unregistered(document: str) -> str:
    """SQL: whether the document was touched, and the log has yet to name it behind its block."""
    return f"""({document}.id >= {FIRST_KEY} AND EXISTS (
        SELECT 1 FROM bulk_block b JOIN bulk_touched t ON t.job_id = b.job_id AND t.document_id = {document}.id
        WHERE {document}.id BETWEEN b.first_key AND b.last_key))"""


def reserve(job_key: int, version_key: int, keys: int) -> Block:
    """The block of a job, made with so many keys unless it has one. In the caller's transaction."""
    found = row("SELECT first_key, last_key, opened_to FROM bulk_block WHERE job_id = %s", [job_key])
    if found is None:
        execute("SELECT pg_advisory_xact_lock(hashtextextended('bulk_block', 0))")
        # The sequence is never behind what this database gave; blocks of a restored backup may be beyond it.
        found = row(
            """
            WITH given AS (
                SELECT greatest(max(b.last_key), (SELECT last_value FROM bulk_key)) AS last_key FROM bulk_block b
            ), taken AS (
                SELECT last_key, setval('bulk_key', last_key + %(keys)s) AS last FROM given
            )
            INSERT INTO bulk_block (job_id, model_version_id, first_key, last_key, opened_to)
            SELECT %(job)s, %(version)s, last_key + 1, last, last_key FROM taken
            RETURNING first_key, last_key, opened_to
            """,
            {"job": job_key, "version": version_key, "keys": keys},
        )
    return Block(*found)


def touch(document_keys: Sequence[int]) -> None:
    """Note which of the documents lie in a closed block. In the transaction that changes them and holds their rows."""
    keys = [key for key in document_keys if key >= FIRST_KEY]
    if not keys:
        return
    # The lock lets the transaction that opens the block wait, so that it sees every document that was touched before.
    execute(
        """
        WITH closed AS MATERIALIZED (
            SELECT job_id, opened_to, last_key FROM bulk_block
            WHERE opened_to < last_key AND last_key >= %(least)s AND opened_to < %(most)s FOR SHARE
        )
        INSERT INTO bulk_touched (job_id, document_id)
        SELECT closed.job_id, k FROM closed
        JOIN unnest(%(keys)s::bigint[]) AS k ON k > closed.opened_to AND k <= closed.last_key
        ON CONFLICT DO NOTHING
        """,
        {"keys": keys, "least": min(keys), "most": max(keys)},
    )


def touched(job_key: int) -> list[int]:
    """Documents of the block that were changed while it was closed, and that the log does not name behind it yet."""
    return [key for (key,) in rows("SELECT document_id FROM bulk_touched WHERE job_id = %s ORDER BY 1", [job_key])]


def keys_at(shares: Sequence[float], first: int = 1, last: int = 2**62) -> list[int]:
    """The keys that stand at these shares, 0 to 1, of all keys that documents may have from `first` to `last`. Between
    the keys of tables and the blocks lie gaps far larger than either."""
    found = rows(
        """
        SELECT greatest(first, %(first)s), least(last, %(last)s) FROM (
            SELECT 1, max(id) FROM document WHERE id < %(blocks)s
            UNION ALL SELECT first_key, last_key FROM bulk_block) AS ranges(first, last)
        WHERE last >= %(first)s AND first <= %(last)s ORDER BY 1
        """,
        {"first": first, "last": last, "blocks": FIRST_KEY},
    )
    total = sum(end - start + 1 for start, end in found)
    return [_key_at(found, int(share * (total - 1))) for share in shares] if total else []


def _key_at(ranges: Sequence[tuple[int, int]], place: int) -> int:
    for start, end in ranges:
        if place <= end - start:
            return start + place
        place -= end - start + 1
    raise AssertionError("unreachable")
