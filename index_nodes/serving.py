"""The versions that a replica may answer, as of the follower's last round: one frozen value, replaced as a whole.

Times are of the monotonic clock. A round counts for a short time only, so a replica whose follower hangs stops to
answer by itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from embedding_project.contracts.queues import SearchLane, search_queue
from embedding_project.contracts.search_costs import LIGHT_UNBUILT, LIGHT_UNBUILT_SHARE
from index_nodes.version_index import VersionIndex

MAX_LAG_SECONDS = 1.0
"""A version is behind when it was last equal to its log longer ago."""
FENCE_SECONDS = 5.0
"""Writers no longer wait for a replica whose heartbeat is so old, so the replica must not answer."""
NEVER = float("-inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class LightRule:
    """When a replica is light: when its searches compare so few vectors one by one that they are fast."""

    most_unbuilt: int = LIGHT_UNBUILT
    """Documents in no graph, of one namespace: 20 ms for a query."""
    most_unbuilt_share: float = LIGHT_UNBUILT_SHARE
    """Or this share of all its documents."""
    peer_seconds: float = 1.5
    """How old the heartbeat of a light peer may be. Heartbeats come every second."""

    def is_light(self, documents: int, unbuilt: int) -> bool:
        return unbuilt <= max(self.most_unbuilt, self.most_unbuilt_share * documents)


USUAL_RULE = LightRule()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedVersion:
    index: VersionIndex
    caught_up_at: float
    """When the follower last read a head of the log and had applied everything up to it."""
    announced_at: float
    """Since when the heartbeat calls the version ready; infinite while it does not."""
    applied: int = 0
    """Position in the log that the index has reached, at least."""
    yields: bool = False
    """Whether another replica of the shard answers, and faster, so that this one takes no searches by itself."""
    stands_back: bool = False
    """Whether no search needs it yet, or any more: its layout does not answer."""

    def answers(self, now: float) -> bool:
        """Whether searches get an answer. A writer waits only for replicas that are announced as ready. So before its
        first answer, a replica must apply all that was acknowledged before its announcement."""
        return self.caught_up_at > max(self.announced_at, now - MAX_LAG_SECONDS)


class LogKey(NamedTuple):
    layout: int
    version_key: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    epoch: str = ""
    heartbeat_at: float = NEVER
    """When the last heartbeat was sent that arrived."""
    versions: Mapping[LogKey, ServedVersion] = field(default_factory=dict)
    """Under every live layout, with the versions that are still loading."""

    def index(self, key: LogKey, epoch: str, now: float) -> VersionIndex | None:
        """The index that may answer for a version under a layout; None when the replica is behind."""
        version = self.versions.get(key)
        if version is None or epoch != self.epoch or self.fenced(now) or not version.answers(now):
            return None
        return version.index

    def applied(self, key: LogKey) -> int | None:
        """Position in the log that an index has reached; None for one that is not here."""
        version = self.versions.get(key)
        return None if version is None else version.applied

    def fenced(self, now: float) -> bool:
        return now - self.heartbeat_at >= FENCE_SECONDS

    def queues(self, shard: int, now: float, lane: SearchLane = SearchLane.LIGHT) -> tuple[str, ...]:
        """The queues of the versions that may answer. The replica does not consume the queue of a version that lags, or
        that a lighter replica answers."""
        if self.fenced(now):
            return ()
        return tuple(
            search_queue(key.layout, key.version_key, shard, lane)
            for key, version in self.versions.items()
            if version.answers(now) and not version.yields
        )
