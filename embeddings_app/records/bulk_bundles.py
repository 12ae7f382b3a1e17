"""Bundles of bulk jobs as rows: what goes into them, whether it is what the tables hold, and who is ready for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from embeddings_app.records.log_trimming import log_floors
from embeddings_app.records.sql import execute, row, rows

DEAD_SECONDS = 60
"""A replica that was silent for longer is not waited for."""
_MODULUS = 2**63
# Both tables by their keys: else the planner may read one of them whole.
_UNCHANGED = """
FROM document d JOIN embedding_vector v ON v.document_id = d.id AND v.model_version_id = %(version)s
  AND v.document_id BETWEEN %(first)s AND %(last)s
WHERE d.id BETWEEN %(first)s AND %(last)s AND d.revision = 1 AND NOT d.deleted
  AND d.shard_hash %% %(shards)s = %(shard)s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The documents of one shard with keys in a range."""

    job_key: int
    version_key: int
    shards: int
    shard: int
    first_key: int
    last_key: int


class Row(NamedTuple):
    key: int
    metadata: str
    vector: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBundle:
    part: int
    layout: int
    path: str
    sha256: str
    rows: int
    size: int
    digest: int


class Replica(NamedTuple):
    shard: int
    replica: int
    takes_bundles: bool
    prepared: str | None
    """How far it is with those of the job, see `index_nodes.preparation`."""


class NeedlessBundle(NamedTuple):
    job_key: int
    shard: int
    part: int
    path: str


def unchanged_rows(part: Part) -> list[Row]:
    """The documents that are as the job wrote them, in the order of their keys."""
    query = f"SELECT d.id, d.metadata::text, v.vector {_UNCHANGED} ORDER BY d.id"
    return [Row(key, metadata, bytes(vector)) for key, metadata, vector in rows(query, _parameters(part))]


def fits_tables(part: Part, document_keys: Sequence[int], hashes: Sequence[int]) -> bool:
    """Whether the documents of a bundle, with the hashes of their first states, are those that the tables have, but for
    what clients have changed meanwhile."""
    count, digest, touched = row(
        f"""
        SELECT count(*),
               coalesce(sum(('x' || left(md5(d.id || ':1:1'), 16))::bit(64)::bigint & 9223372036854775807), 0),
               (SELECT array_agg(document_id) FROM bulk_touched
                WHERE job_id = %(job)s AND document_id BETWEEN %(first)s AND %(last)s)
        {_UNCHANGED} AND NOT EXISTS (SELECT FROM bulk_touched t WHERE t.job_id = %(job)s AND t.document_id = d.id)
        """,
        _parameters(part),
    )
    changed = set(touched or ())
    kept = [hashed for key, hashed in zip(document_keys, hashes, strict=True) if key not in changed]
    return (count, int(digest) % _MODULUS) == (len(kept), sum(kept) % _MODULUS)


def _parameters(part: Part) -> dict[str, int]:
    return {
        "job": part.job_key,
        "version": part.version_key,
        "shards": part.shards,
        "shard": part.shard,
        "first": part.first_key,
        "last": part.last_key,
    }


def announce(part: Part, new: NewBundle) -> bool:
    """Note a bundle, in the caller's transaction; False when the job builds none any more."""
    return bool(
        execute(
            """
            WITH job AS (SELECT id FROM bulk_job WHERE id = %s AND state = 'building' FOR SHARE)
            INSERT INTO bulk_bundle
                (job_id, layout_id, shard, part, path, sha256, rows, size, digest, first_key, last_key)
            SELECT id, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s FROM job ON CONFLICT DO NOTHING
            """,
            [
                *(part.job_key, new.layout, part.shard, new.part, new.path, new.sha256, new.rows, new.size, new.digest),
                *(part.first_key, part.last_key),
            ],
        )
    )


def replicas(job_key: int) -> list[Replica]:
    """The replicas that live and hold what the bundles of the job are for."""
    found = rows(
        """
        SELECT r.shard, r.replica, r.prepared IS NOT NULL, r.prepared->>(%(job)s::text)
        FROM shard_replica r
        JOIN log_epoch e ON e.epoch = r.epoch
        JOIN bulk_job j ON j.id = %(job)s AND j.model_version_id = r.model_version_id
        WHERE (r.layout_id, r.shard) IN (SELECT layout_id, shard FROM bulk_bundle WHERE job_id = %(job)s)
          AND r.state <> 'no_room' AND r.heartbeat > now() - make_interval(secs => %(dead)s)
        ORDER BY r.shard, r.replica
        """,
        {"job": job_key, "dead": DEAD_SECONDS},
    )
    return [Replica(*one) for one in found]


def needless(retention_hours: int) -> list[NeedlessBundle]:
    """Bundles whose entry no replica meets any more: all have applied it, and hold it in their snapshots."""
    floors = log_floors(retention_hours)
    found = rows(
        """
        SELECT b.job_id, b.shard, b.part, b.path FROM bulk_bundle b JOIN bulk_job j ON j.id = b.job_id
        JOIN unnest(%s::bigint[], %s::bigint[], %s::int[], %s::bigint[]) AS f(layout, version, shard, floor)
          ON (f.layout, f.version, f.shard) = (b.layout_id, j.model_version_id, b.shard)
        WHERE b.seq <= f.floor
        """,
        [
            [log.layout for log in floors],
            [log.version_key for log in floors],
            [log.shard for log in floors],
            [log.floor for log in floors],
        ],
    )
    return [NeedlessBundle(*one) for one in found]
