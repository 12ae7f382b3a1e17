"""What a person sees who types commands on a machine where nothing runs and nothing is set."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedding_project.config import PROJECT_ROOT
from supervisor.commands import GROUPS
from tests.loaded_commands import Run, loaded_commands

NAMES = [name for commands in GROUPS.values() for name in commands]
FILES = (PROJECT_ROOT / "embeddings_app" / "management" / "commands").glob("[a-z]*.py")


def manage(*arguments: str, var: Path, **extra: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (sys.executable, str(PROJECT_ROOT / "manage.py"), *arguments),
        cwd=var,
        env={"VAR_DIR": str(var), **extra},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """Commands that start quicker: nothing is set before each of them."""
    with loaded_commands({}, knows_instance=False) as run:
        yield run


@pytest.mark.parametrize("arguments", [(), ("help",), ("--help",)])
def test_without_a_command_all_are_listed(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = manage(*arguments, var=tmp_path)
    assert done.returncode == 0
    assert all(f"  {name} " in done.stdout for name in NAMES)


def test_the_list_holds_every_command_of_the_project() -> None:
    assert {path.stem for path in FILES} <= set(NAMES)


def test_every_command_explains_itself_where_nothing_is_set(tmp_path: Path) -> None:
    # In one process, because each takes seconds to load Django.
    script = (
        "import sys\nfrom supervisor.commands import main\nfor name in sys.argv[1:]:\n"
        "    try:\n        main([name, '--help'])\n    except SystemExit as end:\n        assert not end.code, name"
    )
    environ = {
        "VAR_DIR": str(tmp_path),
        "PYTHONPATH": str(PROJECT_ROOT),
        "DJANGO_SETTINGS_MODULE": "embedding_project.settings",
    }
    done = subprocess.run(
        (sys.executable, "-c", script, *NAMES), env=environ, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert all(f"{name} [-h]" in done.stdout for name in NAMES)


def test_help_works_beside_a_setting_that_is_wrong(tmp_path: Path, run: Run) -> None:
    done = run("help", "backup", VAR_DIR=str(tmp_path), PORT="many", HTTPS="maybe")
    assert "DIRECTORY" in done.stdout.upper()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("apikey",), "required: action"),
        (("apikey", "create"), "required: --name, --scope"),
        (("apikey", "create", "--expires", "tomorrow"), "such as 12h or 30d"),
        (("autoscale", "--min", "few"), "must be 0 to 1000"),
        (("autoscale", "--pause", "long"), "must be 0 to 86400 seconds"),
        (("backup",), "required: directory"),
        (("register_model", "--model-id", "m", "--type", "odd"), "invalid choice: 'odd'"),
        (("up", "--port", "0"), "must be a number from 1 to 65535"),
        (("nonsense",), "there is no command 'nonsense'"),
    ],
)
def test_wrong_usage_is_named_before_any_setting(
    tmp_path: Path, run: Run, arguments: tuple[str, ...], words: str
) -> None:
    done = run(*arguments, VAR_DIR=str(tmp_path))
    assert done.returncode == 2
    assert words in done.stderr
    assert "DATABASE_URL" not in done.stderr


@pytest.mark.parametrize("arguments", [("apikey", "list"), ("log_epoch",), ("autoscale",)])
def test_a_command_that_needs_an_instance_says_where_it_looked(
    tmp_path: Path, run: Run, arguments: tuple[str, ...]
) -> None:
    done = run(*arguments, VAR_DIR=str(tmp_path))
    assert done.returncode == 2
    said = done.stderr + done.stdout
    assert f"{tmp_path / 'instance.json'} is not there" in said
    assert "VAR_DIR=DIR" in said


def test_a_database_that_does_not_answer_is_no_traceback(tmp_path: Path) -> None:
    settings = {
        "DATABASE_URL": "postgresql://embeddings@127.0.0.1:1/embeddings",
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "CACHE_URL": "redis://127.0.0.1:1/1",
        "SECRET_KEY": "s" * 32,
    }
    done = manage("apikey", "list", var=tmp_path, **settings)
    assert done.returncode == 1
    assert "the database failed" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_backup_is_verified_where_no_instance_runs(tmp_path: Path, run: Run) -> None:
    done = run("verify_backup", str(tmp_path / "none"), VAR_DIR=str(tmp_path))
    assert done.returncode == 1
    assert "configuration" not in done.stderr
