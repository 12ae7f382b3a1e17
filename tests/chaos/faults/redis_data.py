"""A broker or cache that forgets everything, or everybody."""

from tests.chaos.cluster import Cluster
from tests.chaos.faults.base import Fault, parts_of


class Flush(Fault):
    kind = "flush"

    def __init__(self, server: str) -> None:
        super().__init__(server, parts_of(server))

    def inject(self, cluster: Cluster) -> None:
        with cluster.broker() if self.target == "broker" else cluster.cache() as redis:
            redis.flushall()


class DropClients(Fault):
    """Every connection of an ordinary client is ended by the server."""

    kind = "drop-clients"

    def __init__(self, server: str) -> None:
        super().__init__(server, parts_of(server))

    def inject(self, cluster: Cluster) -> None:
        with cluster.broker() if self.target == "broker" else cluster.cache() as redis:
            redis.client_kill_filter(_type="normal", skipme=True)
