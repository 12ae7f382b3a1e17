"""The commands `up` and `down` of manage.py. They run before Django can: its settings need what `up` starts."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from supervisor import instance
from supervisor.commands import INTERRUPTED
from supervisor.errors import exit_code
from supervisor.interrupts import one_interrupt, stop_signal
from supervisor.launch import Options, start
from supervisor.logs import Console
from supervisor.supervisor import Supervisor, read_settings
from supervisor.welcome import welcome

_DOWN_SECONDS = 15.0


def main(argv: Sequence[str]) -> int:
    """Run `up` or `down`; the exit code is 0, 1 for a failure, 2 for a wrong setting, 130 for a start cut short."""
    arguments = _parser().parse_args(argv)
    options = Options(var=arguments.var, port=getattr(arguments, "port", None))
    report = getattr(arguments, "report_fd", None)
    relays = getattr(arguments, "logs", False)
    console = Console(sys.stdout, relays=relays) if report is None else _reporting_console(report)
    return exit_code(lambda: _run(arguments, options, console), console.say)


def _run(arguments: argparse.Namespace, options: Options, console: Console) -> int:
    if arguments.command == "down":
        return down(read_settings(options.environment()).var_dir, console)
    if arguments.detach:
        with one_interrupt():
            start(options, outlives=True, say=console.say)
            console.say(welcome(read_settings(options.environment())))
        return 0
    return up(options, console)


def add_instance_options(parser: argparse.ArgumentParser, *, port: bool) -> None:
    """The options every command about an instance has."""
    parser.add_argument("--var", type=Path, metavar="DIR", help="directory of the instance (default: VAR_DIR, or var)")
    if port:
        parser.add_argument("--port", type=_port, metavar="N", help="HTTP port (default: PORT, or 8000)")


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65_535:
        raise argparse.ArgumentTypeError("must be a number from 1 to 65535")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="manage.py")
    commands = parser.add_subparsers(dest="command", required=True)
    starting = commands.add_parser("up", help="start the whole service and stay in the foreground")
    add_instance_options(starting, port=True)
    starting.add_argument("--detach", action="store_true", help="return when the service is ready; it runs on")
    starting.add_argument("--logs", action="store_true", help="show what the roles write; else it is in DIR/logs only")
    starting.add_argument("--report-fd", type=int, help=argparse.SUPPRESS)
    add_instance_options(commands.add_parser("down", help="stop the service"), port=False)
    return parser


def _reporting_console(descriptor: int) -> Console:
    return Console(sys.stdout, report=os.fdopen(descriptor, "w", encoding="utf-8"), relays=False)


def up(options: Options, console: Console) -> int:
    """Run an instance in the foreground until a signal ends it; INTERRUPTED when that was before it was ready."""
    return 0 if Supervisor(options.environment(), console, stop_signal()).run() else INTERRUPTED


def down(var_dir: Path, console: Console) -> int:
    """Stop the instance in `var_dir` and return when it is gone; harmless when there is none."""
    pid = instance.holder(var_dir)
    if pid is None:
        console.say(instance.clear_stale(var_dir) or f"nothing runs in {var_dir}")
        return 0
    running = instance.load(var_dir)
    names = ", ".join(running.processes) if running else "an instance that was still starting"
    began = time.monotonic()
    os.kill(pid, signal.SIGTERM)
    while instance.holder(var_dir) == pid and time.monotonic() - began < _DOWN_SECONDS:
        time.sleep(0.05)
    if instance.holder(var_dir) == pid:
        os.kill(pid, signal.SIGKILL)
        time.sleep(0.5)
        console.say(f"the supervisor (pid {pid}) did not stop and was killed. {instance.clear_stale(var_dir)}")
        return 1
    console.say(f"stopped in {time.monotonic() - began:.1f} s: {names}")
    return 0
