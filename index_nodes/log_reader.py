"""All SQL of an index node: it reads four views and the bare log, and writes its progress into one table.

The views and tables come from the migrations of the web side; this module is the only other place that knows them.
"""

import logging
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from psycopg.types.json import set_json_loads

from embedding_project.contracts.metadata import stored_metadata
from embedding_project.contracts.vector_storage import VectorStorage
from embedding_project.contracts.vectors import Vector, from_bytes
from index_nodes.bundle_files import Bundle
from index_nodes.collection import DocumentState
from index_nodes.memory_plan import field_bytes
from index_nodes.serving import LightRule

CHANGES_AT_ONCE = 1_000
LOAD_ROWS = 1_000
COUNT_SECONDS = 2.0
"""How long a load waits for the number of its rows."""
_SAMPLE_ROWS = 500
_CONNECT_SECONDS = 2
_STATEMENT_MS = 10_000
logger = logging.getLogger(__name__)

_HEADS = """
SELECT e.epoch, l.id, h.model_version_id, h.head, h.dimension, h.storage,
       (SELECT coalesce(max(r.awaited_seq), 0) FROM shard_replica r
        WHERE r.layout_id = l.id AND r.model_version_id = h.model_version_id AND r.shard = h.shard),
       NOT l.paused, l.status <> 'active'
FROM log_epoch e
LEFT JOIN layout l ON l.status IN ('building', 'active', 'standby') AND l.shards > %(shard)s
LEFT JOIN index_head h ON h.layout_id = l.id AND h.shard = %(shard)s
ORDER BY l.status = 'active' DESC
"""
_CHANGES = """
SELECT seq, document_key, namespace_key, revision, deleted, metadata, text_revision, vector
FROM index_feed
WHERE layout_id = %s AND model_version_id = %s AND shard = %s AND seq > %s ORDER BY seq LIMIT %s
"""
_NEXT_ENTRY = """
SELECT seq, kind, segment FROM shard_change
WHERE layout_id = %s AND model_version_id = %s AND shard = %s AND seq > %s ORDER BY seq LIMIT 1
"""
_OF_INDEX = "FROM index_row WHERE layout_id = %s AND model_version_id = %s AND shard = %s"
_OF_BLOCK = f"{_OF_INDEX} AND document_key BETWEEN %s AND %s"
_BUNDLES = """
SELECT layout_id, model_version_id, announced, job_id, namespace_key, path, sha256, first_key, last_key
FROM index_bundle WHERE shard = %s ORDER BY job_id, part
"""
_REPORT = """
INSERT INTO shard_replica (layout_id, model_version_id, shard, replica, epoch, applied_seq, state, problem, digest,
                           documents, graph_documents, unbuilt_documents, built_per_second, namespace_sizes,
                           loading_total, segments, snapshot_seq, snapshot_at, prepared, memory_bytes,
                           free_memory_bytes, overdue_namespaces, heartbeat)
VALUES (%(layout)s, %(version_key)s, %(shard)s, %(replica)s, %(epoch)s, %(applied)s, %(state)s, %(problem)s, %(digest)s,
        %(documents)s, %(graph_documents)s, %(unbuilt_documents)s, %(built_per_second)s, %(namespace_sizes)s::jsonb,
        %(loading_total)s, jsonb_build_object('flat', %(flat_segments)s::int, 'graph', %(graph_segments)s::int),
        %(snapshot_seq)s, to_timestamp(%(snapshot_at)s::float8), %(prepared)s::jsonb, %(memory_bytes)s,
        %(free_memory_bytes)s, %(overdue_namespaces)s, now())
ON CONFLICT (layout_id, model_version_id, shard, replica) DO UPDATE SET
    epoch = excluded.epoch, applied_seq = excluded.applied_seq, state = excluded.state, problem = excluded.problem,
    digest = excluded.digest, documents = excluded.documents, graph_documents = excluded.graph_documents,
    unbuilt_documents = excluded.unbuilt_documents, built_per_second = excluded.built_per_second,
    namespace_sizes = excluded.namespace_sizes, loading_total = excluded.loading_total,
    segments = excluded.segments, snapshot_seq = excluded.snapshot_seq, snapshot_at = excluded.snapshot_at,
    prepared = excluded.prepared, memory_bytes = excluded.memory_bytes, free_memory_bytes = excluded.free_memory_bytes,
    awaited_seq = CASE WHEN shard_replica.epoch = excluded.epoch THEN shard_replica.awaited_seq ELSE 0 END,
    overdue_namespaces = excluded.overdue_namespaces, heartbeat = excluded.heartbeat
RETURNING layout_id, model_version_id, shard, rebuild_wanted
"""
_REBUILD_BEGUN = """
UPDATE shard_replica SET rebuild_wanted = false
WHERE layout_id = %s AND model_version_id = %s AND shard = %s AND replica = %s
"""
_LIGHT_PEER = """
SELECT EXISTS (
    SELECT FROM shard_replica
    WHERE layout_id = %(layout)s AND model_version_id = %(version_key)s AND shard = %(shard)s AND replica <> %(replica)s
      AND epoch = %(epoch)s AND state = 'ready' AND heartbeat > now() - make_interval(secs => %(seconds)s)
      AND unbuilt_documents <= greatest(%(most_unbuilt)s, %(most_unbuilt_share)s * documents)
)
"""
Connection = psycopg.Connection[tuple[Any, ...]]


class Head(NamedTuple):
    seq: int
    """Last sequence number of the log."""
    dimension: int
    storage: VectorStorage = VectorStorage.FP32
    """Of the vectors in graphs."""
    awaited: int = 0
    """Up to here somebody waits until replicas say that they have applied the log."""
    loads: bool = True
    """Whether a replica may fill an index that it does not have yet."""
    stands_back: bool = False
    """Whether no search needs it: its layout does not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heads:
    """What a replica must hold, as of one moment."""

    epoch: str
    logs: Mapping["Log", Head]
    """Of every version under every live layout that has this shard, those of the layout that answers first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Documents that become visible with one entry of the log: those of a bulk job that nobody has changed."""

    seq: int
    job: int
    first_key: int
    last_key: int


class Entry(NamedTuple):
    """One entry of a log, without the state of its document."""

    seq: int
    kind: str
    """document or segment."""
    segment: Mapping[str, Any] | None

    def block(self) -> Block | None:
        """What a segment stands for; None of a document, and of a segment that does not say it."""
        found = self.segment
        if self.kind != "segment" or found is None or not {"job", "first_key", "last_key"} <= set(found):
            return None
        return Block(seq=self.seq, job=found["job"], first_key=found["first_key"], last_key=found["last_key"])


class BundleRow(NamedTuple):
    """A bundle of this shard."""

    log: "Log"
    announced: bool
    """Whether its job waits until replicas have prepared it."""
    bundle: Bundle


class Load(NamedTuple):
    """The whole contents of an index, as of one moment."""

    head: int
    total: int
    """Number of rows; 0 when the count took too long."""
    field_bytes: float
    """About what the metadata of a row takes in memory, from a sample."""
    pieces: Iterator[list[DocumentState]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """The name of one log."""

    layout: int
    version_key: int
    shard: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One row of the replica's heartbeat."""

    layout: int
    version_key: int
    shard: int
    replica: int
    epoch: str
    applied: int
    state: str
    """loading, ready, behind or no_room."""
    problem: str
    """Why it is not loaded; empty when it is, or will be."""
    digest: int
    documents: int
    graph_documents: int
    unbuilt_documents: int
    """Of the namespace with the most: what one search compares one by one."""
    overdue_namespaces: int
    built_per_second: float
    """Documents brought into graphs, lately; 0 when unknown."""
    namespace_sizes: str
    """JSON of `NamespaceSizes`."""
    loading_total: int
    """Rows of a load in progress; 0 when unknown, and when nothing is loaded."""
    memory_bytes: int
    free_memory_bytes: int
    flat_segments: int
    graph_segments: int
    snapshot_seq: int
    """Of the oldest snapshot; 0 without a snapshot."""
    snapshot_at: float | None
    """When the newest snapshot was written, in seconds since 1970."""
    prepared: str
    """JSON: how far it is with the bundles of bulk jobs, by job."""


def connect(url: str, name: str) -> Connection:
    """A connection that commits every statement. Raises psycopg.Error."""
    connection = psycopg.connect(
        url,
        autocommit=True,
        connect_timeout=_CONNECT_SECONDS,
        tcp_user_timeout=_CONNECT_SECONDS * 1_000,
        keepalives_idle=_CONNECT_SECONDS,
        application_name=name,
        # To compile a statement takes seconds on a busy machine, and none of these needs it. An estimate that is far
        # off, as for a table that has just been emptied, would have Postgres compile the heads in every round.
        # The node writes a lost heartbeat again within a second, so no heartbeat needs to wait for the disk.
        options=f"-c statement_timeout={_STATEMENT_MS} -c synchronous_commit=off -c jit=off",
    )
    set_json_loads(stored_metadata, connection)
    return connection


def read_heads(connection: Connection, shard: int) -> Heads | None:
    """The heads of all logs of a shard; None before the service is installed. Raises psycopg.Error."""
    rows = connection.execute(_HEADS, {"shard": shard}).fetchall()
    if not rows:
        return None
    logs = {
        Log(layout=layout, version_key=version_key, shard=shard): Head(seq, dimension, VectorStorage(storage), *others)
        for _, layout, version_key, seq, dimension, storage, *others in rows
        if version_key
    }
    return Heads(epoch=str(rows[0][0]), logs=logs)


def read_changes(connection: Connection, log: Log, after: int, dimension: int) -> list[tuple[int, DocumentState]]:
    """The next entries of the log, each with the state that its document has now. Raises psycopg.Error."""
    parameters = (log.layout, log.version_key, log.shard, after, CHANGES_AT_ONCE)
    with connection.cursor(binary=True) as cursor:
        rows = cursor.execute(_CHANGES, parameters).fetchall()
    changes = []
    for seq, document_key, namespace_key, revision, deleted, metadata, text_revision, vector in rows:
        data = None if deleted else vector
        changes.append((seq, _state(dimension, document_key, namespace_key, revision, metadata, text_revision, data)))
    return changes


def next_entry(connection: Connection, log: Log, after: int) -> Entry | None:
    """The first entry of the log after `after`, of any kind. Raises psycopg.Error."""
    row = connection.execute(_NEXT_ENTRY, (log.layout, log.version_key, log.shard, after)).fetchone()
    return Entry(*row) if row else None


def read_bundles(connection: Connection, shard: int) -> list[BundleRow]:
    """The bundles of bulk jobs that there are for a shard, of any layout. Raises psycopg.Error."""
    return [
        BundleRow(
            Log(layout=layout, version_key=version_key, shard=shard),
            announced,
            Bundle(
                job=job,
                namespace_key=namespace_key,
                folder=Path(path),
                sha256=sha256,
                first_key=first_key,
                last_key=last_key,
            ),
        )
        for layout, version_key, announced, job, namespace_key, path, sha256, first_key, last_key in connection.execute(
            _BUNDLES, (shard,)
        )
    ]


@contextmanager
def open_load(
    url: str, name: str, log: Log, epoch: str, piece: int = LOAD_ROWS, block: Block | None = None
) -> Iterator[Load]:
    """The head of a log and all rows of its index at that head, `piece` at a time, in one transaction; or the rows of a
    block, and the entry that it stands for. Raises psycopg.Error, LogMoved."""
    with connect(url, name) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        with connection.transaction():
            heads = read_heads(connection, log.shard)
            head = heads.logs.get(log) if heads is not None and heads.epoch == epoch else None
            if head is None:
                raise LogMoved
            of = (log.layout, log.version_key, log.shard)
            part = _Part(_OF_BLOCK, (*of, block.first_key, block.last_key)) if block else _Part(_OF_INDEX, of)
            with closing(_load_rows(connection, part, head.dimension, piece)) as pieces:
                rows, fields = _count_rows(connection, part), _field_bytes(connection, part)
                yield Load(block.seq if block else head.seq, rows, fields, pieces)


class _Part(NamedTuple):
    """Which rows of an index."""

    condition: str
    parameters: tuple[int, ...]


class LogMoved(Exception):
    """The log to load is no longer of this epoch, or its layout or its version was retired."""


def report(connection: Connection, reports: Sequence[Report]) -> set[Log]:
    """Write the replica's heartbeat; gives the logs whose indexes it is asked to load again. Raises psycopg.Error."""
    if not reports:
        return set()
    with connection.cursor() as cursor:
        rows = [{name: getattr(entry, name) for name in Report.__slots__} for entry in reports]
        cursor.executemany(_REPORT, rows, returning=True)
        answers = [results.fetchall() for results in cursor.results()]
    return {
        Log(layout=layout, version_key=version_key, shard=shard)
        for answer in answers
        for layout, version_key, shard, rebuild_wanted in answer
        if rebuild_wanted
    }


def note_rebuild(connection: Connection, log: Log, replica: int) -> None:
    """Take back the wish that the replica loads the version again: it has thrown its index away. Raises
    psycopg.Error."""
    connection.execute(_REBUILD_BEGUN, (log.layout, log.version_key, log.shard, replica))


def has_light_peer(connection: Connection, log: Log, epoch: str, replica: int, rule: LightRule) -> bool:
    """Whether another replica of the shard answers searches of the version now, and is light. Raises psycopg.Error."""
    row = connection.execute(
        _LIGHT_PEER,
        {
            "layout": log.layout,
            "version_key": log.version_key,
            "shard": log.shard,
            "replica": replica,
            "epoch": epoch,
            "seconds": rule.peer_seconds,
            "most_unbuilt": rule.most_unbuilt,
            "most_unbuilt_share": rule.most_unbuilt_share,
        },
    ).fetchone()
    return bool(row and row[0])


def _count_rows(connection: Connection, part: _Part) -> int:
    try:
        with connection.transaction():
            connection.execute(f"SET LOCAL statement_timeout = {int(1_000 * COUNT_SECONDS)}")
            row = connection.execute(f"SELECT count(*) {part.condition}", part.parameters).fetchone()
            connection.execute(f"SET LOCAL statement_timeout = {_STATEMENT_MS}")
    except psycopg.errors.QueryCanceled:
        return 0
    return int(row[0]) if row else 0


def _field_bytes(connection: Connection, part: _Part) -> float:
    found = connection.execute(f"SELECT metadata {part.condition} LIMIT {_SAMPLE_ROWS}", part.parameters)
    return field_bytes(metadata for (metadata,) in found)


def _load_rows(connection: Connection, part: _Part, dimension: int, piece: int) -> Generator[list[DocumentState]]:
    columns = "document_key, namespace_key, revision, metadata, text_revision, vector"
    with connection.cursor(name="load", binary=True) as cursor:
        cursor.execute(f"SELECT {columns} {part.condition}", part.parameters)
        while rows := cursor.fetchmany(piece):
            yield [_state(dimension, *row) for row in rows]


def _state(
    dimension: int,
    document_key: int,
    namespace_key: int,
    revision: int,
    metadata: Mapping[str, Any],
    text_revision: int | None,
    data: bytes | None,
) -> DocumentState:
    return DocumentState(
        document_key=document_key,
        namespace_key=namespace_key,
        revision=revision,
        text_revision=text_revision or 0,
        vector=None if data is None else _vector(data, dimension, document_key),
        metadata=metadata,
    )


def _vector(data: bytes, dimension: int, document_key: int) -> Vector | None:
    if len(data) != 4 * dimension:
        logger.error("document %d has a vector of %d bytes, not of dimension %d", document_key, len(data), dimension)
        return None
    vector: Vector = from_bytes(data, dimension)[0]
    return vector
