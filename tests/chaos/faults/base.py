"""What every fault is, and how it is written down."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum

from tests.chaos.cluster import Cluster


class Part(StrEnum):
    """Parts of the service that a fault may keep from answering."""

    API = "api"
    SEARCH = "search"
    """What a search needs beyond the api: nodes, broker, Postgres."""
    WRITES = "writes"
    """What is embedded and indexed behind an answer."""


class Fault(ABC):
    """One fault, injected and healed once. `heal` brings everything back that does not come back by itself."""

    kind: str
    parts: frozenset[Part]
    """What it may disturb; a search may be partial only when `SEARCH` or `API` is disturbed."""

    def __init__(self, target: str, parts: frozenset[Part]) -> None:
        self.target = target
        self.parts = parts

    @property
    def name(self) -> str:
        return f"{self.kind} {self.target}"

    @abstractmethod
    def inject(self, cluster: Cluster) -> None: ...

    def heal(self, cluster: Cluster) -> None:  # noqa: B027
        """Most faults are over once they are injected: the supervisor starts what was killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRecord:
    """A fault that was injected, in seconds of the monotonic clock."""

    kind: str
    target: str
    parts: frozenset[Part]
    injected: float
    healed: float
    complete: bool = True
    """False when its target was out of reach, for all of it or for a part."""

    def near(self, begin: float, end: float, grace_seconds: float) -> bool:
        """Whether it, or what it left behind within the grace, overlaps the time."""
        return self.injected <= end and begin <= self.healed + grace_seconds


_SEARCHING = frozenset({Part.SEARCH})
_WRITING = frozenset({Part.WRITES})
_PARTS = {
    "api": frozenset({Part.API}),
    "indexer": _WRITING,
    "embedder-0": _WRITING,
    "beat": _WRITING,
    "cache": _WRITING,
    "broker": _SEARCHING | _WRITING,
    "postgres": _SEARCHING | _WRITING,
}


def parts_of(role: str) -> frozenset[Part]:
    """What stands still when a role or server does. Nodes only search."""
    return _PARTS.get(role, _SEARCHING)
