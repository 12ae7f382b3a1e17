"""Waiting for the index: until documents are embedded, and until the replicas have applied a position."""

import time
from collections.abc import Iterator, Sequence

from embedding_project.threads.waiter import rest
from embeddings_app.models import RecordState
from embeddings_app.records.reading import record_states
from embeddings_app.records.topology import Topology, applied_by_all, await_seqs
from embeddings_app.services.documents.positions import Position

_POLL_SECONDS = 0.01
_SLOWEST_POLL_SECONDS = 0.1


def wait_until_embedded(version_key: int, document_keys: Sequence[int], deadline: float) -> dict[int, str]:
    """Poll until no document is pending or the deadline has come; gives the states."""
    states: dict[int, str] = {}
    for _ in _polls(deadline):
        states = record_states(version_key, document_keys)
        if RecordState.PENDING not in states.values():
            break
    return states


def wait_until_applied(position: Position, topology: Topology, deadline: float) -> bool:
    """Poll until every replica that answers searches has applied `position`; False when the deadline came first."""
    for _ in _polls(deadline):
        if applied_everywhere(position, topology):
            return True
        await_seqs(topology.layout, position.version_key, position.seqs)
    return False


def applied_everywhere(position: Position, topology: Topology) -> bool:
    """Whether each shard has a replica that answers searches, and all those replicas have applied the position."""
    applied = applied_by_all(topology.layout, position.version_key)
    return all(shard in applied and applied[shard] >= seq for shard, seq in position.seqs.items())


def _polls(deadline: float) -> Iterator[None]:
    """One turn at once, then turns at growing intervals until the deadline."""
    yield
    seconds = _POLL_SECONDS
    while time.monotonic() + seconds <= deadline:
        rest(seconds)
        yield
        seconds = min(seconds * 1.5, _SLOWEST_POLL_SECONDS)
