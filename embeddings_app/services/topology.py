"""The topology as every request needs it: at most a second old."""

from embedding_project.threads.expiring import ExpiringCache
from embeddings_app.records.topology import Topology, read_topology

FRESH_SECONDS = 1.0
_topology: ExpiringCache[None, Topology] = ExpiringCache(lambda _: read_topology(), FRESH_SECONDS)


def topology() -> Topology:
    return _topology.get(None)


def forget_cached() -> None:
    _topology.clear()
