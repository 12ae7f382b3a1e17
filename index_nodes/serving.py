"""What a replica may answer, as of the follower's last round: one frozen value, replaced as a whole.

Times are of the monotonic clock. A replica counts as consistent for a short time only, so one whose follower hangs
stops answering by itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from embedding_project.contracts.queues import search_queue
from index_nodes.version_index import VersionIndex

MAX_LAG_SECONDS = 1.0
"""A version that had everything in the log longer ago than this is behind."""
FENCE_SECONDS = 5.0
"""Writers stop waiting for a replica whose heartbeat is this old, so from then on it must not answer."""
NEVER = float("-inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedVersion:
    index: VersionIndex
    caught_up_at: float
    """When the log was last asked for its head and everything up to there was applied."""
    announced_at: float
    """Since when the replica's heartbeat says that it is ready; infinite while it does not."""

    def answers(self, now: float) -> bool:
        """Whether searches get an answer. A writer waits only for replicas that have announced themselves, so what was
        acknowledged before the announcement must be applied before the first answer."""
        return self.caught_up_at > max(self.announced_at, now - MAX_LAG_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    epoch: str = ""
    layout: int | None = None
    heartbeat_at: float = NEVER
    """When the last heartbeat that arrived was sent."""
    versions: Mapping[int, ServedVersion] = field(default_factory=dict)
    """By version key, those still loading included."""

    def index(self, version_key: int, epoch: str, now: float) -> VersionIndex | None:
        """The index that may answer for a version; None when the replica is behind."""
        version = self.versions.get(version_key)
        if version is None or epoch != self.epoch or self.fenced(now) or not version.answers(now):
            return None
        return version.index

    def fenced(self, now: float) -> bool:
        return now - self.heartbeat_at >= FENCE_SECONDS

    def queues(self, shard: int, now: float) -> tuple[str, ...]:
        """The queues to consume: of the versions that may be answered. One that lags leaves its own queue alone."""
        if self.layout is None or self.fenced(now):
            return ()
        return tuple(
            search_queue(self.layout, version_key, shard)
            for version_key, version in self.versions.items()
            if version.answers(now)
        )
