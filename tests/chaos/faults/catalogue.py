"""Every kind of fault a run may draw, with how long one lasts."""

import random
from collections.abc import Callable, Mapping
from functools import partial

from tests.chaos.cluster import NODES, ROLES
from tests.chaos.faults import network
from tests.chaos.faults.base import Fault
from tests.chaos.faults.disk import DamagedFiles, DiskFull
from tests.chaos.faults.freeze import Freeze, FreezeShard
from tests.chaos.faults.kill import Kill, KillApiWorker, KillBackend
from tests.chaos.faults.network import BadWay, Reset
from tests.chaos.faults.queues import GARBAGE, STOLEN, DuplicateHints, Garbage, Stolen
from tests.chaos.faults.redis_data import DropClients, Flush
from tests.chaos.proxy import Condition
from tests.chaos.servers import SERVICES

_WAYS = {"cut": network.CUT, "silent": network.SILENT, "slow": network.SLOW, "sliced": network.SLICED}
Draw = Callable[[random.Random], Fault]


def _draws() -> Mapping[str, Draw]:
    """Name -> a function that makes the fault. Names of one kind share their beginning."""
    draws: dict[str, Draw] = {}
    for role in (*ROLES, *SERVICES):
        draws[f"kill {role}"] = partial(_at_any_time, Kill, role)
        draws[f"freeze {role}"] = partial(_at_any_time, Freeze, role)
    draws["kill-worker api"] = KillApiWorker
    draws["kill-backend postgres"] = lambda chance: KillBackend()
    draws["freeze-shard"] = lambda chance: FreezeShard(chance.choice((NODES[:2], NODES[2:])))
    for server in ("broker", "cache"):
        draws[f"flush {server}"] = partial(_at_any_time, Flush, server)
        draws[f"drop-clients {server}"] = partial(_at_any_time, DropClients, server)
    for server in SERVICES:
        draws[f"reset {server}"] = partial(_at_any_time, Reset, server)
        for kind, condition in _WAYS.items():
            draws[f"{kind} {server}"] = partial(_bad_way, kind, server, condition)
    for kind, condition in _WAYS.items():
        draws[f"{kind} postgres for a node"] = partial(_bad_way, kind, "postgres", condition, for_a_node=True)
    draws["disk-full"] = lambda chance: DiskFull(chance.choice(NODES))
    draws["damaged-files"] = lambda chance: DamagedFiles(chance.choice(NODES), chance)
    for content in GARBAGE:
        draws[f"garbage {content}"] = partial(_at_any_time, Garbage, content)
    for kind in STOLEN:
        draws[kind] = partial(Stolen, kind)
    draws["duplicate-hints"] = lambda chance: DuplicateHints()
    return draws


def _at_any_time(kind: Callable[[str], Fault], target: str, chance: random.Random) -> Fault:
    """A fault that leaves nothing to chance."""
    return kind(target)


def _bad_way(kind: str, server: str, condition: Condition, chance: random.Random, *, for_a_node: bool = False) -> Fault:
    return BadWay(kind, server, condition, chance.choice(NODES) if for_a_node else "")


CATALOGUE = _draws()


class Deck:
    """Deals the names of faults in random order, each once before any comes again."""

    def __init__(self, names: tuple[str, ...], seed: int) -> None:
        self._names = names
        self._random = random.Random(f"{seed}/deck")
        self._left: list[str] = []

    def draw(self) -> Fault:
        if not self._left:
            self._left = self._random.sample(self._names, len(self._names))
        return CATALOGUE[self._left.pop()](self._random)
