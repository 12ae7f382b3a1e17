"""What the index of a shard must hold, as one number that every replica computes too."""

from dataclasses import dataclass

from django.db import connection


@dataclass(frozen=True, slots=True)
class ShardDigest:
    """Equal to what a replica reports at the same sequence number, or the replica holds something else."""

    digest: int
    """Sum over the documents of the first 8 bytes of an MD5 of key, revision and text revision, modulo 2^63."""
    documents: int
    """Live documents with a vector."""


def shard_digest(layout: int, version_key: int, shard: int) -> ShardDigest:
    """The digest of one shard of one model version, from the rows as they are now. Reads the whole shard."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT coalesce(mod(sum(h::bigint::numeric + CASE WHEN h::bigint < 0 THEN 18446744073709551616 ELSE 0 END),
                                9223372036854775808), 0)::bigint, count(*)
            FROM (SELECT ('x' || left(md5(document_key || ':' || revision || ':' || text_revision), 16))::bit(64) AS h
                  FROM index_row WHERE layout_id = %s AND model_version_id = %s AND shard = %s) AS hashed
            """,
            [layout, version_key, shard],
        )
        return ShardDigest(*cursor.fetchone())
