"""A bad way between the service and one of its servers, for everybody or for one node."""

from tests.chaos.cluster import Cluster
from tests.chaos.faults.base import Fault, parts_of
from tests.chaos.proxy import Condition

CUT = Condition(cut=True)
SILENT = Condition(silent=True)
SLOW = Condition(latency_seconds=0.02, jitter_seconds=0.1)
SLICED = Condition(slice_bytes=97)


class BadWay(Fault):
    """A condition for as long as the fault lasts."""

    def __init__(self, kind: str, server: str, condition: Condition, node: str = "") -> None:
        # A node that is cut off disturbs searches at most, whatever it is cut off from.
        super().__init__(f"{server} for {node or 'all'}", parts_of(node or server))
        self.kind = kind
        self._server = server
        self._node = node
        self._condition = condition

    def inject(self, cluster: Cluster) -> None:
        cluster.proxies.set(self._server, self._condition, self._node)

    def heal(self, cluster: Cluster) -> None:
        cluster.proxies.clear(self._server, self._node)


class Reset(Fault):
    """All connections are reset once, in the middle of whatever they carry."""

    kind = "reset"

    def __init__(self, server: str) -> None:
        super().__init__(server, parts_of(server))

    def inject(self, cluster: Cluster) -> None:
        cluster.proxies.reset(self.target)
