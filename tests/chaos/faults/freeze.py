"""A process that stands still, and goes on later as if nothing had been."""

import signal

from tests.chaos.cluster import Cluster
from tests.chaos.faults.base import Fault, parts_of
from tests.chaos.processes import send, tree


class Freeze(Fault):
    """SIGSTOP of a role or server with all its children, SIGCONT at the end."""

    kind = "freeze"

    def __init__(self, role: str) -> None:
        super().__init__(role, parts_of(role))
        self._stopped: list[int] = []

    def inject(self, cluster: Cluster) -> None:
        self._stopped = [pid for pid in tree(cluster.pid(self.target)) if send(pid, signal.SIGSTOP)]

    def heal(self, cluster: Cluster) -> None:
        for pid in self._stopped:
            send(pid, signal.SIGCONT)


class FreezeShard(Fault):
    """Every replica of a shard at once: what cannot be known must be said."""

    kind = "freeze-shard"

    def __init__(self, nodes: tuple[str, ...]) -> None:
        super().__init__("+".join(nodes), parts_of(nodes[0]))
        self._nodes = tuple(Freeze(node) for node in nodes)

    def inject(self, cluster: Cluster) -> None:
        for node in self._nodes:
            node.inject(cluster)

    def heal(self, cluster: Cluster) -> None:
        for node in self._nodes:
            node.heal(cluster)
