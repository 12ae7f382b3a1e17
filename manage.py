#!/usr/bin/env python3
"""Entry point of every command: those that run or scale the service need no Django, all others are Django's."""

import importlib
import os
import sys

if sys.version_info < (3, 11):
    sys.exit("Python 3.11 or newer is needed")

# These start what Django's settings need, so they must run before Django is configured.
SUPERVISED = {
    "up": "supervisor.cli",
    "down": "supervisor.cli",
    "demo": "supervisor.demo",
    "doctor": "supervisor.doctor",
    "autoscale": "supervisor.autoscaler.cli",
}


def main(argv: list[str]) -> int:
    module = SUPERVISED.get(argv[1]) if len(argv) > 1 else None
    if module:
        return int(importlib.import_module(module).main(argv[1:]))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "embedding_project.settings")
    config = importlib.import_module("embedding_project.config")
    try:
        importlib.import_module("django.core.management").execute_from_command_line(argv)
    except config.ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
