"""Processes of bulk jobs: tasks are done again when a process dies, and given up when that helps nothing."""

import os
import signal
from pathlib import Path

import pytest

from bulk_ingest.pool import Workers, WorkersDied

pytestmark = pytest.mark.usefixtures("migrated")


def always() -> bool:
    return True


def touch(path: Path) -> bool:
    path.touch()
    return True


def die_once(path: Path) -> bool:
    """Kill the process, unless an earlier one has left the file."""
    if not path.exists():
        path.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return True


def die(_task: int) -> bool:
    os.kill(os.getpid(), signal.SIGKILL)
    return True


def refuse(task: int) -> bool:
    raise ValueError(f"task {task} is refused")


def test_every_task_is_done_by_the_same_processes(tmp_path: Path) -> None:
    with Workers(2) as workers:
        for stage in "ab":
            paths = [tmp_path / f"{stage}{number}" for number in range(5)]
            assert list(workers.work_on(paths, touch, always)) == [True] * 5
    assert len(list(tmp_path.iterdir())) == 10


def test_tasks_of_a_process_that_died_are_done_again(tmp_path: Path) -> None:
    with Workers(2) as workers:
        assert list(workers.work_on([tmp_path / str(number) for number in range(3)], die_once, always)) == [True] * 3


def test_tasks_that_kill_every_process_are_given_up() -> None:
    with Workers(1) as workers, pytest.raises(WorkersDied):
        list(workers.work_on([1], die, always))


def test_what_a_task_raises_is_raised_and_no_more_is_begun_once_nobody_wants_it(tmp_path: Path) -> None:
    with Workers(1) as workers:
        with pytest.raises(ValueError, match="task 7 is refused"):
            list(workers.work_on([7], refuse, always))
        assert list(workers.work_on([tmp_path / "never"], touch, lambda: False)) == []
    assert list(tmp_path.iterdir()) == []
