"""The command `role` of manage.py: this process becomes one role of the service, told everything by its environment.

For whoever starts roles one by one: a container, a unit of systemd, a pod. The role replaces this process, so signals
and exit codes are its own. Command line and environment are those of the process table, so that a role started here is
the one that `up` starts.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from embedding_project.config import inherited_environment, read_config
from embedding_project.observing.metrics_server import EVERY_ADDRESS
from supervisor.errors import StartError, exit_code
from supervisor.ports import port_problem
from supervisor.process import ProcessSpec
from supervisor.role_check import CHECKED, problem
from supervisor.roles import KINDS, needed_settings, role
from supervisor.start_checks import refuse_one_redis

_MOST_EMBEDDERS = 1_000_000


def main(argv: Sequence[str]) -> int:
    """Become the role; comes back only when that is not possible: 1 for a failure, 2 for a missing or wrong setting."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if (arguments.number is None) == (arguments.kind == "embedder"):
        parser.error("an embedder needs its number" if arguments.number is None else "only an embedder has a number")
    if arguments.check and arguments.kind not in CHECKED:
        parser.error(f"a {arguments.kind} cannot be checked: one that has nothing to do shows nothing")
    run = _check if arguments.check else _become
    return exit_code(lambda: run(arguments), lambda line: print(f"role {arguments.kind}: {line}", file=sys.stderr))


def described(kind: str, environ: Mapping[str, str], number: int = 0) -> ProcessSpec:
    """The role that these variables describe. Raises ConfigError, StartError."""
    config = read_config(environ, needed_settings(kind))
    if config.cache_url:
        refuse_one_redis(config)
    return role(kind, config, environ, number)


def _check(arguments: argparse.Namespace) -> int:
    config = read_config(inherited_environment(), needed_settings(arguments.kind))
    if found := problem(arguments.kind, config, arguments.number or 0):
        raise StartError(found)
    return 0


def _become(arguments: argparse.Namespace) -> int:
    spec = described(arguments.kind, inherited_environment(), arguments.number or 0)
    if taken := _port_problem(arguments.kind, spec.env):
        raise StartError(taken)
    written = ["METRICS_DIR", "VAR_DIR"] if arguments.kind == "node" else ["METRICS_DIR"]
    for folder in filter(None, map(spec.env.get, written)):
        Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    os.chdir(spec.cwd)
    os.umask(0o077)
    os.nice(spec.nice)
    os.execve(spec.argv[0], spec.argv, dict(spec.env))


def _port_problem(kind: str, env: Mapping[str, str]) -> str:
    if kind == "api":
        return port_problem(env["HOST"], int(env["PORT"]))
    # Celery would only write into the log that the port is taken.
    port = int(env["METRICS_PORT"])
    return f"METRICS_PORT: {problem}" if port and (problem := port_problem(EVERY_ADDRESS, port)) else ""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="manage.py role", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=["role"], help=argparse.SUPPRESS)
    parser.add_argument("kind", choices=KINDS, help="what to be; a node takes its place from NODE_SHARD, NODE_REPLICA")
    parser.add_argument("number", nargs="?", type=_number, metavar="N", help="of an embedder: no two may have the same")
    parser.add_argument(
        "--check", action="store_true", help="say whether it works, and exit: 0 when it does, 1 when not"
    )
    return parser


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) > _MOST_EMBEDDERS:
        raise argparse.ArgumentTypeError(f"must be 0 to {_MOST_EMBEDDERS}")
    return int(text)
