"""An instance for one measurement: own servers, own port, own directory, gone afterwards."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from benchmarks.errors import BenchmarkError
from embedding_project.config import INSTANCE_FILE, PROJECT_ROOT, SETTINGS, inherited_environment
from supervisor.launch import running_instance
from supervisor.ports import pick_free_port


@dataclass(frozen=True, slots=True)
class OwnInstance:
    """A ready instance and where to find its parts."""

    url: str
    var: Path

    @property
    def database_url(self) -> str:
        return self.setting("DATABASE_URL")

    def setting(self, name: str) -> str:
        """The value of a setting that the supervisor chose."""
        content = json.loads((self.var / INSTANCE_FILE).read_text(encoding="utf-8"))
        value: str = content["environment"][name]
        return value

    def manage(self, *arguments: str) -> str:
        """Run a management command against the instance; what it printed. Raises BenchmarkError."""
        answer = subprocess.run(
            (sys.executable, "manage.py", *arguments),
            cwd=PROJECT_ROOT,
            env={**_without_settings(), "VAR_DIR": str(self.var)},
            capture_output=True,
            text=True,
            check=False,
        )
        if answer.returncode:
            raise BenchmarkError(f"manage.py {arguments[0]} failed: {answer.stderr.strip()}")
        return answer.stdout

    def query(self, statement: str, parameters: tuple[object, ...] = ()) -> list[tuple[int, ...]]:
        with psycopg.connect(self.database_url) as connection:
            return connection.execute(statement.encode(), parameters).fetchall()


@contextmanager
def own_directory() -> Iterator[Path]:
    """A directory that the database's unprivileged user can enter too; removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="embedding-bench-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def own_instance(
    folder: Path, *, api_processes: int = 1, environ: Mapping[str, str] | None = None
) -> Iterator[OwnInstance]:
    """An instance in `folder`/var; a second one in the same folder finds the data of the first."""
    # Empty values hide the user's own servers: a measurement must never write into a database that is in use.
    settings = dict.fromkeys(SETTINGS, "") | {"API_PROCESSES": str(api_processes), **(environ or {})}
    var = folder / "var"
    with running_instance(var=var, port=pick_free_port(), environ=settings, say=lambda _: None) as url:
        yield OwnInstance(url, var)


def _without_settings() -> dict[str, str]:
    return {name: value for name, value in inherited_environment().items() if name not in SETTINGS}
