"""Layouts, log epoch and replicas."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from django.db.models.functions import Now

from embeddings_app.models import (
    LIVE_STATUSES,
    WRITTEN_LAYOUTS,
    Layout,
    LayoutStatus,
    LogEpoch,
    ShardCounter,
    ShardReplica,
)
from embeddings_app.records.sql import execute, rows

HEARTBEAT_SECONDS = 5
"""A replica that was silent for longer does not count."""


@dataclass(frozen=True, slots=True)
class Topology:
    epoch: str
    layout: int
    shards: int
    replicas: int


@dataclass(frozen=True, slots=True)
class ShardBacklog:
    """What the replica of a shard with the fewest unbuilt documents says, of those that answer searches."""

    unbuilt: int
    """Documents in no graph, of the namespace that has the most of them."""
    built_per_second: float
    """Documents that it brings into graphs; 0 when unknown."""


@dataclass(frozen=True, slots=True)
class ReplicaProblem:
    """A replica that does not load a version."""

    version_key: int
    shard: int
    replica: int
    problem: str
    """Why, for operators."""

    @property
    def place(self) -> str:
        return f"shard {self.shard} replica {self.replica}"


@dataclass(frozen=True, slots=True)
class SearchedLog:
    layout: int
    version_key: int
    shard: int
    version: str
    """For people."""


def read_topology() -> Topology:
    """The active layout under the current epoch."""
    layout = Layout.objects.get(status=LayoutStatus.ACTIVE)
    epoch = LogEpoch.objects.get().epoch
    return Topology(str(epoch), layout.pk, layout.shards, layout.replicas)


def renew_epoch() -> str:
    """Begin a new history: every index node discards what it holds, claims and tokens of the old one are void."""
    epoch = uuid.uuid4()
    LogEpoch.objects.update_or_create(id=1, defaults={"epoch": epoch})
    return str(epoch)


def lock_layouts_shared() -> None:
    """Hold off changes of layouts until the transaction ends."""
    execute("SELECT pg_advisory_xact_lock_shared(hashtextextended('layouts', 0))")


def lock_layouts() -> None:
    """Wait for all who write into logs, and hold off others until the transaction ends."""
    execute("SELECT pg_advisory_xact_lock(hashtextextended('layouts', 0))")


def writable_layouts() -> list[Layout]:
    """Layouts whose logs every write must reach: they stay the same until the transaction of the caller ends."""
    lock_layouts_shared()
    return live_layouts()


def live_layouts() -> list[Layout]:
    return list(Layout.objects.filter(status__in=WRITTEN_LAYOUTS).order_by("pk"))


def searched_logs() -> list[SearchedLog]:
    """Every log that a search may be sent to, sorted."""
    rows = ShardCounter.objects.filter(model_version__status__in=LIVE_STATUSES, layout__in=live_layouts())
    return [
        SearchedLog(row.layout_id, row.model_version_id, row.shard, str(row.model_version))
        for row in rows.select_related("model_version").order_by("layout", "model_version", "shard")
    ]


def create_counters(layout: Layout, version_key: int) -> None:
    """The counter rows of one version under one layout; existing ones stay as they are."""
    ShardCounter.objects.bulk_create(
        [ShardCounter(layout=layout, model_version_id=version_key, shard=shard) for shard in range(layout.shards)],
        ignore_conflicts=True,
    )


def heads(layout: int, version_key: int, shards: Iterable[int]) -> dict[int, int]:
    """Shard -> last sequence number of its log."""
    rows = ShardCounter.objects.filter(layout_id=layout, model_version_id=version_key, shard__in=list(shards))
    return dict(rows.values_list("shard", "head"))


def ready_replicas(layout: int) -> dict[int, int]:
    """Shard -> number of replicas that answer searches of every active version."""
    found = rows(
        """
        WITH active AS (SELECT id FROM model_registry WHERE status = 'active')
        SELECT shard, count(*) FROM (
            SELECT r.shard, r.replica
            FROM shard_replica r JOIN log_epoch e ON e.epoch = r.epoch JOIN active ON active.id = r.model_version_id
            WHERE r.layout_id = %s AND r.state = 'ready' AND r.heartbeat > now() - make_interval(secs => %s)
            GROUP BY r.shard, r.replica HAVING count(*) = (SELECT count(*) FROM active)
        ) AS ready GROUP BY shard
        """,
        [layout, HEARTBEAT_SECONDS],
    )
    return dict(found)


def replica_problems() -> list[ReplicaProblem]:
    """What keeps replicas that live from loading a version."""
    found = rows(
        """
        SELECT r.model_version_id, r.shard, r.replica, r.problem FROM shard_replica r
        JOIN log_epoch e ON e.epoch = r.epoch JOIN layout l ON l.id = r.layout_id AND l.status = 'active'
        WHERE r.problem <> '' AND r.heartbeat > now() - make_interval(secs => %s)
        ORDER BY r.shard, r.replica, r.model_version_id
        """,
        [HEARTBEAT_SECONDS],
    )
    return [ReplicaProblem(*one) for one in found]


def shard_backlogs(layout: int, version_key: int) -> list[ShardBacklog]:
    """Of every shard with a replica that answers searches."""
    found = rows(
        """
        SELECT DISTINCT ON (r.shard) r.unbuilt_documents, r.built_per_second
        FROM shard_replica r JOIN log_epoch e ON e.epoch = r.epoch
        WHERE r.layout_id = %s AND r.model_version_id = %s AND r.state = 'ready'
          AND r.heartbeat > now() - make_interval(secs => %s)
        ORDER BY r.shard, r.unbuilt_documents
        """,
        [layout, version_key, HEARTBEAT_SECONDS],
    )
    return [ShardBacklog(*one) for one in found]


def forget_silent_replicas(hours: int) -> None:
    """Delete what replicas said of themselves that were silent for longer; one that comes back says it again."""
    ShardReplica.objects.filter(heartbeat__lt=Now() - timedelta(hours=hours)).delete()


def await_seqs(layout: int, version_key: int, seqs: Mapping[int, int]) -> None:
    """Shard -> sequence number: let the replicas of these shards say it soon when they have applied it."""
    # Rows that are locked now are left to the next call: nobody waits for a heartbeat, and there is no deadlock.
    execute(
        """
        UPDATE shard_replica SET awaited_seq = wanted.seq
        FROM (
            SELECT r.id, w.seq FROM shard_replica r
            JOIN unnest(%s::int[], %s::bigint[]) AS w(shard, seq) ON w.shard = r.shard
            WHERE r.layout_id = %s AND r.model_version_id = %s AND r.applied_seq < w.seq AND r.awaited_seq < w.seq
            FOR NO KEY UPDATE OF r SKIP LOCKED
        ) AS wanted
        WHERE shard_replica.id = wanted.id
        """,
        [list(seqs), list(seqs.values()), layout, version_key],
    )


def applied_by_all(layout: int, version_key: int) -> dict[int, int]:
    """Shard -> last sequence number that all its replicas which answer searches now have applied.

    A shard without such a replica is left out.
    """
    query = """
        SELECT r.shard, min(r.applied_seq) FROM shard_replica r JOIN log_epoch e ON e.epoch = r.epoch
        WHERE r.layout_id = %s AND r.model_version_id = %s AND r.state = 'ready'
          AND r.heartbeat > now() - make_interval(secs => %s)
        GROUP BY r.shard
        """
    return dict(rows(query, [layout, version_key, HEARTBEAT_SECONDS]))
