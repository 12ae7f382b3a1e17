"""Sudden death: SIGKILL of a process at whatever it is doing."""

import random
import signal

from tests.chaos.cluster import Cluster
from tests.chaos.faults.base import Fault, parts_of
from tests.chaos.processes import children, send


class Kill(Fault):
    """A role or server. Broker and cache come back empty."""

    kind = "kill"

    def __init__(self, role: str) -> None:
        super().__init__(role, parts_of(role))

    def inject(self, cluster: Cluster) -> None:
        send(cluster.pid(self.target), signal.SIGKILL)


class KillApiWorker(Fault):
    """One of the processes that answer; the one above them starts another."""

    kind = "kill-worker"

    def __init__(self, chance: random.Random) -> None:
        super().__init__("api", parts_of("api"))
        self._random = chance

    def inject(self, cluster: Cluster) -> None:
        workers = children(cluster.pid(self.target))
        if workers:
            send(self._random.choice(workers), signal.SIGKILL)


class KillBackend(Fault):
    """The process behind one connection of Postgres: it then ends every session, and recovers."""

    kind = "kill-backend"

    def __init__(self) -> None:
        super().__init__("postgres", parts_of("postgres"))

    def inject(self, cluster: Cluster) -> None:
        found = cluster.rows(
            "SELECT pid FROM pg_stat_activity WHERE usename = current_user AND pid <> pg_backend_pid() "
            "ORDER BY state = 'active' DESC, random() LIMIT 1"
        )
        for (pid,) in found:
            send(pid, signal.SIGKILL)
