"""After the faults: wait until the service has come to rest, read what is left, and read every document once more."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from tests.chaos.client import Client, search_for
from tests.chaos.cluster import Cluster
from tests.chaos.content import Place
from tests.chaos.faults.queues import work_queues
from tests.chaos.history import Journal

CONVERGENCE_SECONDS = 60.0
AUDITOR = "auditor"
"""The client that reads every document once more; its operations are judged like all others, and more strictly."""
_FRESH_SECONDS = 3
_MODULUS = 2**63

_LOGS = """
SELECT h.layout_id, h.model_version_id, h.shard, h.head, coalesce(min(c.seq), 0), coalesce(max(c.seq), 0), count(c.seq)
FROM index_head h LEFT JOIN shard_change c USING (layout_id, model_version_id, shard)
GROUP BY 1, 2, 3, 4
"""
_DIGESTS = """
SELECT layout_id, model_version_id, shard,
       sum(('x' || left(md5(document_key || ':' || revision || ':' || text_revision), 16))::bit(64)::bigint
           & 9223372036854775807)
FROM index_row GROUP BY 1, 2, 3
"""
_REPLICAS = """
SELECT r.layout_id, r.model_version_id, r.shard, r.replica, r.applied_seq, r.digest, r.snapshot_seq,
       r.state = 'ready' AND r.epoch = e.epoch AND r.heartbeat > now() - make_interval(secs => %s)
FROM shard_replica r CROSS JOIN log_epoch e
"""
_DOCUMENTS = """
SELECT n.name, d.doc_id, (d.metadata ->> 'version')::int
FROM document d JOIN namespace n ON n.id = d.namespace_id WHERE NOT d.deleted
"""
_RECORDS = "SELECT state, count(*) FROM embedding_record GROUP BY 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogState:
    """One log, and what Postgres says its index must hold."""

    name: tuple[int, int, int]
    """Layout, model version, shard."""
    head: int
    lowest: int
    """Sequence numbers that are there: the lowest, the highest, how many. All 0 for an empty log."""
    highest: int
    count: int
    digest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaState:
    log: tuple[int, int, int]
    replica: int
    applied: int
    digest: int
    snapshot_seq: int
    ready: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalState:
    documents: dict[Place, int]
    """Live documents in Postgres, and the version each has."""
    logs: tuple[LogState, ...]
    replicas: tuple[ReplicaState, ...]
    pending: int
    quarantined: int
    queues: dict[str, int]
    """Queue -> messages in it."""


def unrest(state: FinalState, replicas: int) -> list[str]:
    """What has not converged, in words; empty when all is at rest and equal."""
    found = [f"{count} messages in {queue}" for queue, count in state.queues.items() if count]
    if state.pending:
        found.append(f"{state.pending} documents are pending")
    if state.quarantined:
        found.append(f"{state.quarantined} documents are quarantined")
    for log in state.logs:
        own = [replica for replica in state.replicas if replica.log == log.name]
        if len(own) != replicas:
            found.append(f"log {log.name} has {len(own)} replicas")
        for replica in own:
            found += [f"replica {replica.replica} of log {log.name} {fault}" for fault in _differences(log, replica)]
    return found if state.logs else [*found, "there is no log"]


def _differences(log: LogState, replica: ReplicaState) -> list[str]:
    if not replica.ready:
        return ["is not ready"]
    if replica.applied != log.head:
        return [f"has applied {replica.applied} of {log.head}"]
    return [] if replica.digest == log.digest else ["holds other documents than Postgres"]


def wait_for_rest(cluster: Cluster, replicas: int) -> FinalState:
    """The state once nothing differs any more, or when the time for that is over."""
    until = time.monotonic() + CONVERGENCE_SECONDS
    while unrest(state := read_state(cluster), replicas) and time.monotonic() < until:
        time.sleep(0.5)
    return state


def read_state(cluster: Cluster) -> FinalState:
    digests = {tuple(name): int(digest) % _MODULUS for *name, digest in cluster.rows(_DIGESTS)}
    records = dict(cluster.rows(_RECORDS))
    with cluster.broker() as redis:
        queues = {queue: int(redis.llen(queue)) for queue in work_queues(cluster)}
    return FinalState(
        documents={Place(namespace, doc_id): version for namespace, doc_id, version in cluster.rows(_DOCUMENTS)},
        logs=tuple(
            LogState(
                name=(layout, version, shard),
                head=head,
                lowest=lowest,
                highest=highest,
                count=count,
                digest=digests.get((layout, version, shard), 0),
            )
            for layout, version, shard, head, lowest, highest, count in cluster.rows(_LOGS)
        ),
        replicas=tuple(
            ReplicaState(
                log=(layout, version, shard),
                replica=replica,
                applied=applied,
                digest=digest,
                snapshot_seq=snapshot_seq,
                ready=ready,
            )
            for layout, version, shard, replica, applied, digest, snapshot_seq, ready in cluster.rows(
                _REPLICAS, _FRESH_SECONDS
            )
        ),
        pending=records.get("pending", 0),
        quarantined=records.get("quarantined", 0),
        queues=queues,
    )


def read_everything(url: str, journal: Journal, places: Iterable[Place]) -> None:
    """Get every document that was ever written and search for the text it has, each twice: replicas take turns."""
    client = Client(AUDITOR, url, journal)
    try:
        for place in sorted(places) * 2:
            for seen in client.get(place).answered.seen:
                client.search(search_for(place, seen.text_version), by_vector=True)
    finally:
        client.close()
