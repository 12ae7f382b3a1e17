"""How far the nodes are with a layout, by what their replicas say."""

from dataclasses import dataclass

from embedding_project.contracts.limits import LEAST_WAITING_ROWS, MOST_WAITING_ROWS, SEGMENT_ROWS
from embedding_project.contracts.search_costs import LIGHT_UNBUILT, LIGHT_UNBUILT_SHARE
from embeddings_app.models import LIVE_STATUSES
from embeddings_app.records.sql import execute, rows
from embeddings_app.records.topology import HEARTBEAT_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class LogProgress:
    """One log of the layout, as the replica of its shard says that is farthest."""

    version_key: int
    version: str
    """For people."""
    shard: int
    head: int
    applied: int
    """Of all replicas that answer searches, the one that is farthest behind; 0 when none does."""
    replicas: int
    """Those that give a sign of life, whatever their state."""
    ready: int
    """Those that answer searches, most of their documents in graphs."""
    built: int
    """Those of them that have brought into graphs what was due: their searches become no faster."""
    documents: int
    in_graphs: int
    to_load: int
    """Documents of a load in progress; 0 when unknown."""
    problem: str
    """Why a replica does not load; empty when none says so."""

    @property
    def is_ready(self) -> bool:
        return self.ready > 0 and self.applied >= self.head


def log_progress(layout: int) -> list[LogProgress]:
    """Every log of the layout that a live version has, in their order."""
    found = rows(
        """
        SELECT c.model_version_id, m.model_id || '@' || m.version, c.shard, c.head,
               coalesce(min(r.applied_seq) FILTER (WHERE r.state = 'ready'), 0), count(r.id),
               count(r.id) FILTER (WHERE r.state = 'ready'
                                   AND r.unbuilt_documents <= greatest(%(unbuilt)s, %(share)s * r.documents)),
               -- An older node does not say it: as if it had one namespace.
               count(r.id) FILTER (WHERE r.state = 'ready' AND coalesce(
                   r.overdue_namespaces = 0,
                   r.unbuilt_documents <= %(segment)s * ceil(
                       greatest(%(least)s, least(r.graph_documents, %(most)s)) / %(segment)s::float8))),
               coalesce(max(r.documents), 0), coalesce(max(r.graph_documents), 0), coalesce(max(r.loading_total), 0),
               coalesce(max(r.problem), '')
        FROM shard_counter c
        JOIN model_registry m ON m.id = c.model_version_id AND m.status = ANY(%(live)s)
        LEFT JOIN shard_replica r
          ON (r.layout_id, r.model_version_id, r.shard) = (c.layout_id, c.model_version_id, c.shard)
         AND r.epoch = (SELECT epoch FROM log_epoch) AND r.heartbeat > now() - make_interval(secs => %(fresh)s)
        WHERE c.layout_id = %(layout)s
        GROUP BY 1, 2, 3, 4 ORDER BY 2, 3
        """,
        {
            "layout": layout,
            "live": list(LIVE_STATUSES),
            "fresh": HEARTBEAT_SECONDS,
            "unbuilt": LIGHT_UNBUILT,
            "share": LIGHT_UNBUILT_SHARE,
            "least": LEAST_WAITING_ROWS,
            "most": MOST_WAITING_ROWS,
            "segment": SEGMENT_ROWS,
        },
    )
    names = ("version_key", "version", "shard", "head", "applied", "replicas", "ready", "built", "documents")
    return [LogProgress(**dict(zip((*names, "in_graphs", "to_load", "problem"), one, strict=True))) for one in found]


def forget_replicas(layout: int) -> None:
    """What the replicas of a layout said that no node holds any more."""
    execute("DELETE FROM shard_replica WHERE layout_id = %s", [layout])
