"""Waiting for the index: until documents are embedded, and until the replicas have applied a position."""

import time
from collections.abc import Sequence

from embedding_project.threads.waiter import rest
from embeddings_app.models import RecordState
from embeddings_app.records.reading import record_states
from embeddings_app.records.topology import Topology, consuming_replicas
from embeddings_app.services.documents.positions import Position

_POLL_SECONDS = 0.01
_SLOWEST_POLL_SECONDS = 0.1


def wait_until_embedded(version_key: int, document_keys: Sequence[int], deadline: float) -> dict[int, str]:
    """Poll until no document is pending or the deadline has come; gives the states."""
    seconds = _POLL_SECONDS
    while True:
        states = record_states(version_key, document_keys)
        if RecordState.PENDING not in states.values() or time.monotonic() + seconds > deadline:
            return states
        rest(seconds)
        seconds = min(seconds * 1.5, _SLOWEST_POLL_SECONDS)


def wait_until_applied(position: Position, topology: Topology, deadline: float) -> bool:
    """Poll until every replica that answers searches has applied `position`; False when the deadline came first."""
    seconds = _POLL_SECONDS
    while not applied_everywhere(position, topology):
        if time.monotonic() + seconds > deadline:
            return False
        rest(seconds)
        seconds = min(seconds * 1.5, _SLOWEST_POLL_SECONDS)
    return True


def applied_everywhere(position: Position, topology: Topology) -> bool:
    """Whether each shard has a consuming replica, and every one of them has applied the position."""
    slowest: dict[int, int] = {}
    for replica in consuming_replicas(topology.layout, position.version_key):
        slowest[replica.shard] = min(replica.applied_seq, slowest.get(replica.shard, replica.applied_seq))
    return all(shard in slowest and slowest[shard] >= seq for shard, seq in position.seqs.items())
