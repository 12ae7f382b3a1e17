"""The command `demo` of manage.py: a whole instance, a real corpus in it, a few searches, then yours to play with."""

import argparse
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial

from embedding_project.config import PROJECT_ROOT
from supervisor.cli import add_instance_options
from supervisor.commands import INTERRUPTED
from supervisor.errors import exit_code
from supervisor.interrupts import one_interrupt
from supervisor.launch import Options, start
from supervisor.readiness import public_url
from supervisor.supervisor import read_settings
from supervisor.welcome import welcome

LOADED, LOADED_WITH_REJECTS, PAUSED = 0, 3, 4
"""Exit codes of `bulk_ingest run`. Somebody who pauses the job in the console wants the service to go on."""


def main(argv: Sequence[str]) -> int:
    """Start an instance, load the demo corpus, keep running until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="manage.py demo", description=__doc__)
    add_instance_options(parser, port=True)
    parser.add_argument("--upgrade", action="store_true", help="then move the corpus to a second model version")
    parser.add_argument("--bulk", action="store_true", help="load the corpus by a bulk job")
    arguments = parser.parse_args(argv[1:])
    options = Options(var=arguments.var, port=arguments.port)
    loading = _bulk_commands(options) if arguments.bulk else [["load_stdlib_docs"]]
    commands = [*loading, ["demo_upgrade"]] if arguments.upgrade else loading
    with one_interrupt():
        return exit_code(lambda: _until_interrupted(options, commands), partial(print, file=sys.stderr))


def _bulk_commands(options: Options) -> Sequence[Sequence[str]]:
    """The corpus as a file, and the file by the processes of a bulk job. The key lets a second demo load it no more."""
    file = str(read_settings(options.environment()).var_dir / "demo" / "docstrings.jsonl")
    return [
        ["load_stdlib_docs", "--to", file],
        ["bulk_ingest", "run", file, "--namespace", "stdlib", "--bucket-rows", "500", "--key", "demo"],
        ["load_stdlib_docs", "--only-search"],
    ]


def loaded(commands: Sequence[Sequence[str]], run: Callable[[Sequence[str]], int]) -> int:
    """Run the commands one after the other until one gives another code than LOADED; that code."""
    for command in commands:
        code = run(command)
        if code not in (LOADED, LOADED_WITH_REJECTS):
            return code
    return LOADED


def _until_interrupted(options: Options, commands: Sequence[Sequence[str]]) -> int:
    """Show an instance until Ctrl-C, then end it. Exit code 130 when the commands had not ended by then."""
    code = INTERRUPTED
    # Nothing may stand between the start and the block that ends it: a Ctrl-C there would leave that to the kernel.
    running = start(options)
    try:
        url = public_url(read_settings(options.environment()))
        print(f"console: {url}/console/, also while the corpus loads", flush=True)
        code = loaded(commands, lambda command: _run(command, options))
        if code in (LOADED, PAUSED):
            told = welcome(read_settings(options.environment()), has_corpus=code == LOADED)
            print(f"\nThe service runs; Ctrl-C stops it.\n{told}", flush=True)
            code = running.wait()
    except KeyboardInterrupt:
        print(flush=True)
    running.stop(print)
    return code


def _run(arguments: Sequence[str], options: Options) -> int:
    command = (sys.executable, "manage.py", *arguments)
    # In a session of its own: Ctrl-C is for this process, which ends the command.
    return subprocess.run(
        command, cwd=PROJECT_ROOT, env=options.environment(), check=False, start_new_session=True
    ).returncode
