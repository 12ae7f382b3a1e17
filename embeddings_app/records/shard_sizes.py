"""How many documents of each namespace a shard has, as its replicas say."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from embeddings_app.records.sql import rows
from embeddings_app.records.topology import HEARTBEAT_SECONDS


@dataclass(frozen=True, slots=True)
class ReplicaSizes:
    named: Mapping[int, int]
    """Documents of its largest namespaces, by key."""
    others: int
    """At most so many in each other namespace."""


def read_sizes(layout: int, version_key: int) -> list[ReplicaSizes]:
    """Of every replica that answers searches of the version."""
    found = rows(
        """
        SELECT r.documents, r.namespace_sizes
        FROM shard_replica r JOIN log_epoch e ON e.epoch = r.epoch
        WHERE r.layout_id = %s AND r.model_version_id = %s AND r.state = 'ready'
          AND r.heartbeat > now() - make_interval(secs => %s)
        """,
        [layout, version_key, HEARTBEAT_SECONDS],
    )
    return [_sizes(documents, said) for documents, said in found]


def _sizes(documents: int, said: str | None) -> ReplicaSizes:
    if said is None:
        return ReplicaSizes({}, documents)
    sizes = json.loads(said)
    named = {int(key): int(count) for key, count in sizes["named"].items()}
    return ReplicaSizes(named, min(int(sizes["others"]), documents))
