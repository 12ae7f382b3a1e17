"""Commands of manage.py, each in a process forked from one that has loaded what all of them import.

To load Django takes seconds, and many tests run a command. The process that forks is `python -m tests.loaded_commands`:
a line of JSON in for each command, a line out for what came of it.
"""

import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import django

from embedding_project.config import PROJECT_ROOT
from supervisor import commands

SETTINGS = {"DJANGO_SETTINGS_MODULE": "embedding_project.settings"}
_PACKAGES = (
    "celery.app.base",
    "celery.schedules",
    "cron_descriptor",
    "django.core.mail",
    "django.core.serializers.json",
    "django.db.backends.postgresql.base",
    "django.forms",
    "django.http",
    "django.urls",
    "django.views.debug",
    "huggingface_hub.hf_api",
    "kombu.entity",
    "kombu.serialization",
    "numpy",
    "prometheus_client",
    "psycopg",
    "redis",
    "requests",
)
"""What takes long to load and reads no settings."""


@dataclass(frozen=True, slots=True)
class Done:
    """A command that ended."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Done]
"""Called with the arguments of manage.py, and with the variables of the command by name."""


@contextmanager
def loaded_commands(environ: Mapping[str, str], *, knows_instance: bool) -> Iterator[Run]:
    """A function that runs commands in `environ` and the variables it is called with.

    Commands that know their instance by `environ` start with Django set up for it. The others have loaded packages
    alone: each reads its own variables, and sets Django up as it does in a fresh process.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, "setup" if knows_instance else "packages"],
        cwd=PROJECT_ROOT,
        env={**environ, **SETTINGS},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout

    def run(*arguments: str, **variables: str) -> Done:
        assert process.stdin
        assert process.stdout
        print(json.dumps([arguments, variables]), file=process.stdin, flush=True)
        return Done(**json.loads(process.stdout.readline()))

    with process:
        yield run
        process.stdin.close()


def _serve(load: str) -> None:
    if load == "setup":
        django.setup()
    else:
        for name in _PACKAGES:
            importlib.import_module(name)
    importlib.import_module("supervisor.django_commands")  # the commands import it by its name
    for line in sys.stdin:
        arguments, variables = json.loads(line)
        print(json.dumps(asdict(_forked(arguments, variables))), flush=True)


def _forked(arguments: Sequence[str], variables: Mapping[str, str]) -> Done:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, Path(os.devnull).open() as nothing:
        child = os.fork()
        if not child:
            for number, file in enumerate((nothing, out, err)):
                os.dup2(file.fileno(), number)
            os.environ.update(variables)
            sys.exit(commands.main(arguments))
        _, status = os.waitpid(child, 0)
        return Done(os.waitstatus_to_exitcode(status), _written(out), _written(err))


def _written(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


if __name__ == "__main__":
    _serve(sys.argv[1])
