"""After the faults: wait until the service has come to rest, read what is left, and read every document once more."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tests.chaos.client import Client, search_for
from tests.chaos.cluster import MODEL, Servers
from tests.chaos.content import SWEPT_NAMESPACES, Place
from tests.chaos.faults.queues import work_queues
from tests.chaos.versions import KnownVersions

CONVERGENCE_SECONDS = 100.0
"""A chunk whose indexer died is worked on again 45 s later; then its run has to end."""
AUDITOR = "auditor"
"""The client that reads every document once more; its operations are judged like all others, and more strictly."""
_FRESH_SECONDS = 3
_PAGE = 7
"""Documents of a page of the last listings."""
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
FROM document d JOIN namespace n ON n.id = d.namespace_id
WHERE NOT d.deleted AND n.dropped_at IS NULL
"""
_OF_DROPPED = """
SELECT count(*) FROM document d JOIN namespace n ON n.id = d.namespace_id
WHERE n.dropped_at IS NOT NULL AND NOT d.deleted
"""
_RECORDS = "SELECT state, count(*) FROM embedding_record GROUP BY 1"
_LIVE = "('backfilling', 'shadow', 'active', 'standby')"
_VERSIONS = "SELECT version, status, id FROM model_registry WHERE model_id = %s"
_ON_THE_WAY = "SELECT id, status FROM model_registry WHERE status IN ('backfilling', 'retiring')"
_LACKING = f"""
SELECT m.id, count(*) FROM model_registry m JOIN namespace n ON n.model_id = m.model_id
JOIN document d ON d.namespace_id = n.id AND NOT d.deleted
LEFT JOIN embedding_vector v
    ON v.model_version_id = m.id AND v.document_id = d.id AND v.text_revision = d.text_revision
WHERE m.status IN {_LIVE} AND v.document_id IS NULL GROUP BY 1
"""
_OF_DELETED = """
SELECT v.model_version_id, count(*) FROM embedding_vector v JOIN document d ON d.id = v.document_id
WHERE d.deleted GROUP BY 1
"""
# Not the log of such a version: entries that name a tombstone stay in it until trimming finds both old enough.
_KEPT = f"""
SELECT m.id, (SELECT count(*) FROM embedding_record r WHERE r.model_version_id = m.id)
    + (SELECT count(*) FROM shard_replica s
       WHERE s.model_version_id = m.id AND s.heartbeat > now() - make_interval(secs => %s))
    + (to_regclass('embedding_vector_v' || m.id) IS NOT NULL)::int
FROM model_registry m WHERE m.status NOT IN {_LIVE}
"""


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
    of_dropped: int = 0
    """Live documents of namespaces that were dropped."""
    states: Mapping[int, str] = field(default_factory=dict)
    """Number of each version of the model of the run -> its state."""
    version_keys: Mapping[int, int] = field(default_factory=dict)
    """Number of each version of the model of the run -> its key."""
    on_the_way: Mapping[int, str] = field(default_factory=dict)
    """Key of each model version whose state will change by itself -> its state."""
    lacking: Mapping[int, int] = field(default_factory=dict)
    """Key of a live version -> live documents without a vector of their text."""
    of_deleted: Mapping[int, int] = field(default_factory=dict)
    """Key of a version -> its vectors of deleted documents."""
    kept: Mapping[int, int] = field(default_factory=dict)
    """Key of a version that gets no writes -> what tables and nodes still hold of it."""


def unrest(state: FinalState, replicas: int) -> list[str]:
    """What has not converged, in words; empty when all is at rest and equal."""
    found = [f"{count} messages in {queue}" for queue, count in state.queues.items() if count]
    if state.pending:
        found.append(f"{state.pending} documents are pending")
    if state.quarantined:
        found.append(f"{state.quarantined} documents are quarantined")
    if state.of_dropped:
        found.append(f"{state.of_dropped} documents of dropped namespaces are left")
    found += _unrest_of_versions(state)
    for log in state.logs:
        own = [replica for replica in state.replicas if replica.log == log.name]
        if len(own) != replicas:
            found.append(f"log {log.name} has {len(own)} replicas")
        for replica in own:
            found += [f"replica {replica.replica} of log {log.name} {fault}" for fault in _differences(log, replica)]
    return found if state.logs else [*found, "there is no log"]


def _unrest_of_versions(state: FinalState) -> list[str]:
    return [
        *(f"version {version} is {status}" for version, status in state.on_the_way.items()),
        *(f"version {version} has no vector of {count} documents" for version, count in state.lacking.items()),
        *(f"version {version} has {count} vectors of deleted documents" for version, count in state.of_deleted.items()),
        *(f"{count} things are left of version {version}" for version, count in state.kept.items() if count),
    ]


def _differences(log: LogState, replica: ReplicaState) -> list[str]:
    if not replica.ready:
        return ["is not ready"]
    if replica.applied != log.head:
        return [f"has applied {replica.applied} of {log.head}"]
    return [] if replica.digest == log.digest else ["holds other documents than Postgres"]


def wait_for_rest(cluster: Servers, replicas: int) -> FinalState:
    """The state once nothing differs any more, or when the time for that is over."""
    until = time.monotonic() + CONVERGENCE_SECONDS
    while unrest(state := read_state(cluster), replicas) and time.monotonic() < until:
        time.sleep(0.5)
    return state


def read_state(cluster: Servers) -> FinalState:
    digests = {tuple(name): int(digest) % _MODULUS for *name, digest in cluster.rows(_DIGESTS)}
    records = dict(cluster.rows(_RECORDS))
    versions = cluster.rows(_VERSIONS, MODEL)
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
        of_dropped=cluster.rows(_OF_DROPPED)[0][0],
        states={version: status for version, status, _ in versions},
        version_keys={version: key for version, _, key in versions},
        on_the_way=dict(cluster.rows(_ON_THE_WAY)),
        lacking=dict(cluster.rows(_LACKING)),
        of_deleted=dict(cluster.rows(_OF_DELETED)),
        kept=dict(cluster.rows(_KEPT, _FRESH_SECONDS)),
    )


def read_everything(client: Client, places: Iterable[Place], known: KnownVersions) -> None:
    """Get every document that was ever written and search for the text it has, in every version that answers, and by
    its word, each twice: replicas take turns. List every namespace. Closes the client."""
    try:
        for place in sorted(places) * 2:
            for seen in client.get(place).answered.seen:
                if place.namespace in SWEPT_NAMESPACES:
                    client.search(search_for(place, seen.text_version, mode="text"))
                for version in known.answering:
                    client.search(search_for(place, seen.text_version, model_version=version), by_vector=True)
        for namespace in sorted({place.namespace for place in places}):
            client.list_all(namespace, None, _PAGE, backwards=False)
    finally:
        client.close()
