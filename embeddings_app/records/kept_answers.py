"""Answers to writes with an `Idempotency-Key`: claimed first in the transaction of the write, and kept last in it."""

from dataclasses import dataclass

from embedding_project.contracts.limits import KEPT_ANSWER_HOURS
from embeddings_app.records.sql import execute, row


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteKey:
    """What a client calls one write."""

    caller: str
    key: str
    request_hash: bytes


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    request_hash: bytes
    status: int
    body: bytes


def find_answer(key: WriteKey) -> StoredAnswer | None:
    """The answer under the name of `key`, to whatever request it was."""
    found = row(
        "SELECT request_hash, status, body FROM kept_answer WHERE caller = %s AND key = %s AND expires_at > now()",
        [key.caller, key.key],
    )
    return StoredAnswer(bytes(found[0]), found[1], bytes(found[2])) if found else None


def claim_key(key: WriteKey) -> bool:
    """Take the key for the write of this transaction; False when it has an answer. While another transaction holds the
    key this waits for its end, as long as a statement may wait for a lock."""
    return bool(
        execute(
            """
            INSERT INTO kept_answer AS kept (caller, key, request_hash, expires_at)
            VALUES (%s, %s, %s, now() + make_interval(hours => %s))
            ON CONFLICT (caller, key) DO UPDATE SET
                request_hash = EXCLUDED.request_hash, expires_at = EXCLUDED.expires_at
            WHERE kept.expires_at <= now()
            """,
            [key.caller, key.key, key.request_hash, KEPT_ANSWER_HOURS],
        )
    )


def keep_answer(key: WriteKey, status: int, body: bytes) -> None:
    """Also in place of an earlier answer to the same request."""
    execute(
        "UPDATE kept_answer SET status = %s, body = %s WHERE caller = %s AND key = %s AND request_hash = %s",
        [status, body, key.caller, key.key, key.request_hash],
    )


def delete_expired_answers(limit: int) -> int:
    """Delete up to `limit` answers whose time is over, the oldest first; gives their number."""
    return execute(
        """
        DELETE FROM kept_answer WHERE id IN (
            SELECT id FROM kept_answer WHERE expires_at <= now() ORDER BY expires_at LIMIT %s FOR UPDATE SKIP LOCKED)
        """,
        [limit],
    )
