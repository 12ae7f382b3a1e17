"""Keys of the API, as requests need them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from embeddings_app.models import ApiKey


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    prefix: str
    key_hash: bytes
    scopes: frozenset[str]
    namespaces: frozenset[str]
    """Empty for all."""
    requests_per_second: float | None
    inputs_per_second: float | None
    expires_at: datetime | None
    revoked_at: datetime | None


def find_key(prefix: str) -> StoredKey | None:
    """The key of that prefix, whether it is good or not."""
    row = ApiKey.objects.filter(prefix=prefix).first()
    if row is None:
        return None
    return StoredKey(
        prefix=row.prefix,
        key_hash=bytes(row.key_hash),
        scopes=frozenset(row.scopes),
        namespaces=frozenset(row.namespaces),
        requests_per_second=row.requests_per_second,
        inputs_per_second=row.inputs_per_second,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )


def any_key() -> bool:
    """Whether a key was ever made. Revoked ones count, and none is deleted."""
    return ApiKey.objects.exists()


def write_last_used(used: Mapping[str, datetime]) -> None:
    """Prefix -> time; an older time changes nothing. Rows are locked in order: other processes write them too."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH u AS (
                SELECT k.id, u.at FROM api_key k
                JOIN unnest(%s::text[], %s::timestamptz[]) AS u(prefix, at) ON k.prefix = u.prefix
                ORDER BY k.id FOR UPDATE OF k
            )
            UPDATE api_key k SET last_used_at = greatest(k.last_used_at, u.at) FROM u WHERE k.id = u.id
            """,
            [list(used), list(used.values())],
        )
