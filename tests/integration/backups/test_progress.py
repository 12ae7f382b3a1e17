"""How far a backup is while it is made, and what the audit log knows of it afterwards."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from redis import Redis

from embedding_project.config import load_config
from embeddings_app.models import AuditEvent
from embeddings_app.services.backups.making import make_backup
from embeddings_app.services.backups.progress import (
    FAILED,
    MADE,
    SILENT_SECONDS,
    BackupStatus,
    Progress,
    RunningBackups,
    ended_backups,
    note_end,
)
from tests.integration.backups.steps import silent, write_some

NOW = 1_800_000_000.0
PATIENCE_SECONDS = 30.0


@pytest.fixture
def cache() -> Redis:
    client = Redis.from_url(load_config().cache_url)
    client.flushdb()
    return client


class Recorded(Progress):
    """Keeps the figures of each stage when the next one begins."""

    def __init__(self) -> None:
        self.stages: dict[str, tuple[int, int]] = {}
        super().__init__()

    def begin(self, stage: str, total_bytes: int) -> None:
        if hasattr(self, "stage"):
            self.stages[self.stage] = (self.done_bytes, self.total_bytes)
        super().begin(stage, total_bytes)


def seen(backups: RunningBackups, wanted: Callable[[BackupStatus], bool]) -> BackupStatus:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        for one in backups.newest():
            if wanted(one):
                return one
        time.sleep(0.01)
    raise AssertionError(f"not seen: {backups.newest()}")


def test_the_stages_of_a_backup_are_counted(directory: Path) -> None:
    write_some()
    progress = Recorded()
    manifest = make_backup(directory, None, silent, progress)
    progress.begin("over", 0)
    size = sum(entry.size for entry in manifest.files)
    copied, expected = progress.stages["copying"]
    assert 0 < copied == size
    assert expected > 0
    assert progress.stages["verifying"] == (size, size)


def test_share_and_time_left_follow_from_what_is_done() -> None:
    moments = iter([0.0, 0.0, *[10.0] * 9])
    progress = Progress(lambda: next(moments))
    progress.begin("copying", 1_000)
    progress.add(250)
    assert (progress.share, progress.bytes_per_second, progress.seconds_left) == (0.25, 25.0, 30.0)
    progress.add(2_000)
    assert (progress.share, progress.seconds_left) == (0.99, 0.0)
    progress.begin("models", 0)
    assert (progress.share, progress.seconds_left) == (None, None)


def test_a_backup_that_is_made_is_shown_until_it_ends(cache: Redis, directory: Path) -> None:
    progress, backups = Progress(), RunningBackups(cache)
    with backups.shown(progress, directory, "command:me", period=0.01):
        progress.begin("verifying", 100)
        progress.add(40)
        found = seen(backups, lambda one: one.bytes == 40)
    assert (found.directory, found.actor) == (str(directory), "command:me")
    assert (found.state, found.stage, found.share) == ("running", "verifying", 0.4)
    assert backups.newest() == []


def test_one_that_was_killed_is_forgotten(cache: Redis, directory: Path) -> None:
    now = [NOW]
    backups = RunningBackups(cache, lambda: now[0])
    with backups.shown(Progress(), directory, "command:me", period=PATIENCE_SECONDS):
        assert seen(backups, lambda one: True).started_at == NOW
        now[0] += SILENT_SECONDS + 1
        assert backups.newest() == []
        assert cache.hlen("backups:running") == 0


def test_what_another_version_of_the_code_says_is_left_out(cache: Redis) -> None:
    cache.hset("backups:running", "one", '{"at": 1800000000.0, "unknown": 1}')
    assert RunningBackups(cache, lambda: NOW).newest() == []


def test_a_cache_that_is_away_hides_a_backup_and_hinders_none(directory: Path) -> None:
    away = RunningBackups(Redis(port=1, socket_connect_timeout=0.1))
    with away.shown(Progress(), directory, "command:me", period=0.01):
        make_backup(directory, None, silent)
    assert directory.is_dir()
    assert away.newest() == []


def test_the_audit_log_knows_the_backups_that_ended(directory: Path) -> None:
    note_end(MADE, directory, "command:me", 12.5, bytes=1_000, files=3)
    note_end(FAILED, directory, "command:me", 1.0, problem="no space left")
    AuditEvent.objects.create(actor="command:me", action="backup.restored", subject="other")
    failed, made = ended_backups()
    assert (failed.state, failed.problem, failed.share) == ("failed", "no space left", None)
    assert (made.state, made.bytes, made.directory) == ("made", 1_000, str(directory))
    assert made.ended_at is not None
    assert made.ended_at - made.started_at == pytest.approx(12.5)
