"""The Django extra, in the project that the pages about it build, with their commands and files as they are written."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from embedding_project.config import load_config
from tests.acceptance.suites import CLIENT, passed
from tests.conftest import MIGRATED_DATABASE, ROOT, Service, scratch_directory

SUITE = Path(__file__).parent / "django_suite"
HOW_TO = ROOT / "docs" / "how-to"
PAGES = (HOW_TO / "use-from-django.md", HOW_TO / "use-from-celery.md")
_BLOCK = re.compile(r"^(<!-- not run: .+? -->\n)?```(sh|python)\n(.*?)^```$", re.M | re.S)
_SHELL = "# python manage.py shell\n"
_AT_THE_END = ", at the end"
_TAKING = """import json
from pathlib import Path


def take(label, keys):
    Path("taken.jsonl").write_text(json.dumps([label, keys]))
"""
_AWAY = """
EMBSEARCH["URL"] = os.environ.get("ANOTHER_URL", EMBSEARCH["URL"])
"""
PATIENCE_SECONDS = 180.0


class Project:
    """A folder in which a reader follows the pages."""

    def __init__(self, folder: Path, url: str, broker_url: str) -> None:
        self.folder = folder
        self.environ = {
            **{name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"},
            "PYTHONPATH": f"{folder}:{CLIENT}",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "BROKER_URL": broker_url,
        }
        self._url = url

    def follow(self, page: Path) -> None:
        for not_run, kind, written in _BLOCK.findall(page.read_text(encoding="utf-8")):
            code = written.replace("http://127.0.0.1:8000", self._url)
            if not_run:
                continue
            if kind == "sh":
                self.run("bash", "-e", "-c", code)
            elif code.startswith(_SHELL):
                self.run("python", "manage.py", "shell", "-c", code)
            else:
                self._write(code)

    def _write(self, code: str) -> None:
        name, _, content = code.removeprefix("# ").partition("\n")
        path = self.folder / name.removesuffix(_AT_THE_END)
        assert path.parent.is_dir(), f"{name} is no file of the project"
        before = path.read_text(encoding="utf-8") if name.endswith(_AT_THE_END) else ""
        path.write_text(before + content, encoding="utf-8")

    def run(self, *command: str) -> str:
        done = subprocess.run(command, cwd=self.folder, env=self.environ, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def project(service: Service) -> Project:
    MIGRATED_DATABASE.get()  # starts the broker too
    return Project(scratch_directory(), service.url, load_config().redis_url)


@pytest.mark.slow
def test_rows_are_searched_in_the_project_of_the_page(project: Project) -> None:
    project.follow(PAGES[0])
    (project.folder / "taking.py").write_text(_TAKING)
    environ = {
        **project.environ,
        "PYTHONPATH": project.environ["PYTHONPATH"],
        "DJANGO_SETTINGS_MODULE": "mysite.settings",
        "PROJECT": str(project.folder),
    }
    assert passed(sys.executable, SUITE, "model_index", environ) >= 12


@contextmanager
def worker(project: Project, **environ: str) -> Iterator[Path]:
    """A worker of Celery; gives its log."""
    command = ["celery", "-A", "mysite", "worker", "--concurrency", "1", "--pool", "solo", "--loglevel", "INFO"]
    log = project.folder / "worker.log"
    with log.open("w") as out:
        running = subprocess.Popen(
            command, cwd=project.folder, env={**project.environ, **environ}, stdout=out, stderr=out
        )
    try:
        yield log
    finally:
        running.terminate()
        running.wait(PATIENCE_SECONDS)


def until(holds: Callable[[], bool], log: Path) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < give_up, log.read_text()[-3000:]
        time.sleep(0.5)


@pytest.mark.slow
def test_a_worker_of_celery_writes_what_was_saved_while_the_service_was_away(project: Project) -> None:
    project.follow(PAGES[1])
    settings = project.folder / "mysite" / "settings.py"
    settings.write_text(settings.read_text() + _AWAY)

    def shell(code: str) -> str:
        return project.run("python", "manage.py", "shell", "-c", f"from articles.models import Article\n{code}")

    def found() -> bool:
        return "Bats" in shell("print([row.title for row in Article.objects.semantic('bats', top_k=1)])")

    shell("Article.objects.create(title='Bats', body='Bats sleep.', published='2026-01-02')")
    with worker(project, ANOTHER_URL="http://127.0.0.1:9") as log:
        until(lambda: "Retry in" in log.read_text(), log)
        assert not found()
    with worker(project) as log:
        # To look whether it is found loads Django in a process of its own each time: not before there is something.
        until(lambda: "succeeded in" in log.read_text(), log)
        until(found, log)
