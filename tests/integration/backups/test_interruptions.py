"""A backup or restore beside another one, and a restore that is killed."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection, transaction

from embeddings_app.records import table_copy
from embeddings_app.records.topology import read_topology
from embeddings_app.services.backups.errors import BackupRefused
from embeddings_app.services.backups.making import make_backup
from embeddings_app.services.backups.restoring import Waits, restore_backup
from tests.conftest import ROOT
from tests.integration.backups.steps import backup, restore, silent, state, write_more, write_some


def test_a_restore_that_is_killed_in_the_middle_leaves_the_old_state(directory: Path) -> None:
    write_some()
    backup(directory)
    write_more()
    before = state()
    command = [sys.executable, "-m", "tests.integration.backups.slow_restore", str(directory)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line == "committing\n":
                os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert state() == before


@contextmanager
def somebody_holds(lock: Callable[[], None]) -> Iterator[None]:
    """The tables locked in another transaction."""
    locked, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                lock()
                locked.set()
                may_end.wait(60)
        finally:
            connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert locked.wait(60)
        yield
    finally:
        may_end.set()
        holder.join()


def test_a_backup_is_refused_while_a_restore_runs(directory: Path) -> None:
    with somebody_holds(table_copy.begin_replacement), pytest.raises(BackupRefused, match="locked"):
        backup(directory)
    assert list(directory.parent.iterdir()) == []


def test_a_backup_that_waited_for_a_restore_holds_what_was_restored(directory: Path, tmp_path: Path) -> None:
    """Had it looked before it was let in, it would have found the tables empty."""
    write_some()
    backup(directory)
    write_more()
    committing = threading.Event()

    def say(line: str) -> None:
        if line == "committing":
            committing.set()

    def restore_slowly() -> None:
        try:
            waits = Waits(settle_seconds=1.0)
            restore_backup(directory, directory, "command:tests", say, replace=True, waits=waits)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        restored = pool.submit(restore_slowly)
        assert committing.wait(60)
        second = make_backup(tmp_path / "second", None, silent)
        restored.result()
    counts = {table.name: table.rows for table in second.tables}
    assert (counts["document"], second.epoch) == (20, read_topology().epoch)


def test_a_restore_is_refused_while_a_backup_runs(directory: Path) -> None:
    write_some()
    backup(directory)
    before = state()
    with somebody_holds(table_copy.begin_snapshot), pytest.raises(BackupRefused, match="in use"):
        restore(directory, waits=Waits(settle_seconds=0.0, lock_seconds=0.0))
    assert state() == before
