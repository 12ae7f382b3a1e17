"""The files of a node: no room for them, or damage in them."""

import random
import resource
import signal
from pathlib import Path

from tests.chaos.cluster import Cluster
from tests.chaos.faults.base import Fault, parts_of
from tests.chaos.processes import send, tree

_FULL_AT_BYTES = 4096


class DiskFull(Fault):
    """No file of the node may grow beyond a page: writes fail, as on a full disk, until the limit is lifted."""

    kind = "disk-full"

    def __init__(self, node: str) -> None:
        super().__init__(node, parts_of(node))

    def inject(self, cluster: Cluster) -> None:
        self._limit(cluster, full=True)

    def heal(self, cluster: Cluster) -> None:
        self._limit(cluster, full=False)

    def _limit(self, cluster: Cluster, *, full: bool) -> None:
        for pid in tree(cluster.pid(self.target)):
            try:
                _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (_FULL_AT_BYTES if full else hard, hard))
            except ProcessLookupError:
                continue  # a builder that has ended meanwhile


class DamagedFiles(Fault):
    """The node is killed, and before it starts again its files are cut short or have bits turned."""

    kind = "damaged-files"

    def __init__(self, node: str, chance: random.Random) -> None:
        super().__init__(node, parts_of(node))
        self._random = chance

    def inject(self, cluster: Cluster) -> None:
        pid = cluster.pid(self.target)
        # Frozen first: a node that is dead is started again, and might read its files before they are damaged.
        send(pid, signal.SIGSTOP)
        for path in sorted(cluster.node_folder(self.target).rglob("*")):
            if path.is_file() and path.stat().st_size:
                self._damage(path)
        send(pid, signal.SIGKILL)

    def _damage(self, path: Path) -> None:
        size = path.stat().st_size
        with path.open("r+b") as file:
            if self._random.random() < 0.5:
                file.truncate(self._random.randrange(size))
                return
            file.seek(self._random.randrange(size))
            turned = file.read(1)[0] ^ (1 << self._random.randrange(8))
            file.seek(-1, 1)
            file.write(bytes([turned]))
