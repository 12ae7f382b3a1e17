"""Every command of manage.py: which there are, who runs each, and how one that Ctrl-C interrupts ends."""

import importlib
import sys
from collections.abc import Mapping, Sequence

INTERRUPTED = 130
SUPERVISED: Mapping[str, str] = {
    "up": "supervisor.cli",
    "down": "supervisor.cli",
    "demo": "supervisor.demo",
    "doctor": "supervisor.doctor",
    "autoscale": "supervisor.autoscaler.cli",
    "role": "supervisor.single_role",
}
"""Commands that start what Django's settings need, or run where there is no Django."""
GROUPS: Mapping[str, Mapping[str, str]] = {
    "Run the service": {
        "up": "start Postgres, Redis and every role; Ctrl-C stops them",
        "down": "stop an instance that runs elsewhere",
        "demo": "start an instance, load a real corpus, search it",
        "doctor": "say what this machine has and lacks",
        "autoscale": "start embedders while text waits, stop them when it is quiet",
        "role": "be one role, with what the environment says: for containers and units",
    },
    "Models and cache": {
        "register_model": "add a version of a model",
        "models": "list versions, probe them, choose the one that answers, retire them",
        "measure": "search with a version beside the active one, and say whether it may answer",
        "judge": "load judgements of people, and score a version by them",
        "reembed": "give documents vectors of a new version: estimate, start, pause, cancel",
        "warm_cache": "embed the texts of a file ahead of time",
    },
    "Documents": {"bulk_ingest": "load files of documents with vectors: plan, run, pause, resume, abort"},
    "Shards": {"reshard": "spread the documents over another number of shards, while the service goes on"},
    "Keys": {"apikey": "make, list and revoke API keys"},
    "Backups": {
        "backup": "write a backup while the service runs",
        "verify_backup": "compare a backup with its manifest; needs no instance",
        "restore": "put a backup in place of everything there is",
        "log_epoch": "show the log epoch, or begin a new one",
    },
    "Sample data": {
        "load_stdlib_docs": "load the docstrings of Python's standard library",
        "demo_upgrade": "move them to a second model version, with searches all the while",
    },
    "Database": {
        "migrate": "bring the tables to the shape of this version; 'up' does it",
        "bootstrap": "make an empty database usable; 'up' does it",
        "createsuperuser": "make an administrator",
        "changepassword": "set the password of an administrator",
        "dbshell": "open psql on the database",
        "shell": "open Python with the models loaded",
    },
}


def main(argv: Sequence[str]) -> int:
    """Run the command that `argv` names; the exit code is 1 for a failure, 2 for wrong usage, 130 for Ctrl-C."""
    name, *rest = argv or ("help",)
    if name in ("help", "-h", "--help"):
        if not rest:
            print(listing())
            return 0
        name, rest = rest[0], ["--help"]
    try:
        module = importlib.import_module(SUPERVISED.get(name, "supervisor.django_commands"))
        return int(module.main([name, *rest]))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


def listing() -> str:
    """All commands in groups, a line each."""
    lines = ["usage: manage.py COMMAND [options]     manage.py COMMAND --help"]
    for title, commands in GROUPS.items():
        lines += ["", title, *(f"  {name:<18}{line}" for name, line in commands.items())]
    return "\n".join([*lines, "", "Every other command of Django works too: check, showmigrations, dumpdata ..."])
