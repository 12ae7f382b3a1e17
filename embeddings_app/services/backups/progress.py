"""How far backups are, for people who look at the service.

One that is being made says so in the Redis of the cache, which may lose it: a backup never waits for that, nor fails by
it. What became of one is in the audit log.
"""

import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, cast

from django.db import DatabaseError
from django.db.models import Max
from redis import Redis
from redis.exceptions import RedisError

from embedding_project.broker.redis_clients import cache_client
from embedding_project.config import load_config
from embeddings_app.database.fault_names import fault_name
from embeddings_app.models import AuditEvent
from embeddings_app.services import audit

MADE, FAILED = "backup.made", "backup.failed"
SHOWN = 20
PERIOD_SECONDS = 1.0
SILENT_SECONDS = 15.0
"""One that has said nothing for so long was killed."""
_KEY = "backups:running"
_LOOKED_THROUGH = 10_000
"""Events of the audit log, the newest."""
logger = logging.getLogger(__name__)


class Progress:
    """What the making of a backup counts, in its own thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.begin("copying", 0)

    def begin(self, stage: str, total_bytes: int) -> None:
        """`total_bytes`: of the stage; 0 when nobody knows."""
        self.stage, self.total_bytes, self.done_bytes, self._began = stage, total_bytes, 0, self._clock()

    def add(self, size: int) -> None:
        self.done_bytes += size

    @property
    def share(self) -> float | None:
        """Of the stage. The total of copied tables is an estimate, so it never says that all is done."""
        return min(self.done_bytes / self.total_bytes, 0.99) if self.total_bytes else None

    @property
    def bytes_per_second(self) -> float:
        return self.done_bytes / max(self._clock() - self._began, 1e-3)

    @property
    def seconds_left(self) -> float | None:
        left, rate = self.total_bytes - self.done_bytes, self.bytes_per_second
        return max(left, 0) / rate if self.total_bytes and rate else None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupStatus:
    directory: str
    actor: str
    state: str
    """running, made or failed."""
    stage: str
    """copying, models, verifying; empty for one that has ended."""
    share: float | None
    bytes: int
    """Of the stage so far; of all files when it was made."""
    bytes_per_second: float | None
    seconds_left: float | None
    problem: str
    started_at: float
    ended_at: float | None
    """Both in seconds since the epoch."""


class RunningBackups:
    """Those that are being made now, as they say themselves."""

    def __init__(self, redis: Redis, clock: Callable[[], float] = time.time) -> None:
        self._redis = redis
        self._clock = clock

    @contextmanager
    def shown(self, progress: Progress, directory: Path, actor: str, period: float = PERIOD_SECONDS) -> Iterator[None]:
        """Say every `period` seconds how far it is, until the block ends."""
        key, started_at, ended = uuid.uuid4().hex, self._clock(), threading.Event()

        def tell() -> None:
            while True:
                self._tell(key, _running(progress, directory, actor, started_at))
                if ended.wait(period):
                    return

        teller = threading.Thread(target=tell, name="backup-progress", daemon=True)
        teller.start()
        try:
            yield
        finally:
            ended.set()
            teller.join(timeout=SILENT_SECONDS)
            with suppress(RedisError):
                self._redis.hdel(_KEY, key)

    def _tell(self, key: str, status: BackupStatus) -> None:
        with suppress(RedisError):
            self._redis.hset(_KEY, key, json.dumps({"at": self._clock(), **asdict(status)}))

    def newest(self) -> list[BackupStatus]:
        """None of them while the cache does not answer."""
        try:
            kept = cast("dict[bytes, bytes]", self._redis.hgetall(_KEY))
            told = {key: json.loads(value) for key, value in kept.items()}
            silent = [key for key, value in told.items() if self._clock() - value.pop("at") > SILENT_SECONDS]
            if silent:
                self._redis.hdel(_KEY, *silent)
        except RedisError:
            return []
        alive = [_read(value) for key, value in told.items() if key not in silent]
        return sorted((one for one in alive if one), key=lambda one: -one.started_at)


def _read(values: dict[str, Any]) -> BackupStatus | None:
    """None for one that another version of the code wrote."""
    try:
        return BackupStatus(**values)
    except TypeError:
        return None


def _running(progress: Progress, directory: Path, actor: str, started_at: float) -> BackupStatus:
    share, left = progress.share, progress.seconds_left
    return BackupStatus(
        directory=str(directory),
        actor=actor,
        state="running",
        stage=progress.stage,
        share=None if share is None else round(share, 4),
        bytes=progress.done_bytes,
        bytes_per_second=round(progress.bytes_per_second, 1),
        seconds_left=None if left is None else round(left, 1),
        problem="",
        started_at=started_at,
        ended_at=None,
    )


@cache
def running_backups() -> RunningBackups:
    return RunningBackups(cache_client(load_config().cache_url))


def note_end(action: str, directory: Path, actor: str, seconds: float, **detail: object) -> None:
    """Have the audit log know of it. What stands on disk counts without: Postgres may be why there is no backup."""
    try:
        audit.record(actor, action, str(directory)[:255], {"seconds": round(seconds, 1), **detail})
    except DatabaseError as error:
        logger.warning("%s is not in the audit log: %s", action, fault_name(error))


def ended_backups(limit: int = SHOWN) -> list[BackupStatus]:
    """The newest of the audit log, made or failed."""
    newest = AuditEvent.objects.aggregate(newest=Max("id"))["newest"] or 0
    events = AuditEvent.objects.filter(id__gt=newest - _LOOKED_THROUGH, action__in=(MADE, FAILED)).order_by("-id")
    return [_ended(event) for event in events[:limit]]


def _ended(event: AuditEvent) -> BackupStatus:
    ended_at: datetime = event.at
    started_at = ended_at - timedelta(seconds=float(event.detail.get("seconds", 0.0)))
    return BackupStatus(
        directory=event.subject,
        actor=event.actor,
        state=event.action.partition(".")[2],
        stage="",
        share=1.0 if event.action == MADE else None,
        bytes=int(event.detail.get("bytes", 0)),
        bytes_per_second=None,
        seconds_left=None,
        problem=str(event.detail.get("problem", "")),
        started_at=started_at.timestamp(),
        ended_at=ended_at.timestamp(),
    )


def newest_backups() -> list[BackupStatus]:
    """Those that are being made, then those that ended."""
    return [*running_backups().newest(), *ended_backups()]
