#!/usr/bin/env python3
"""Entry point of every command."""

import importlib
import os
import sys

if sys.version_info < (3, 11):
    sys.exit("Python 3.11 or newer is needed")

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "embedding_project.settings")
    try:
        code = importlib.import_module("supervisor.commands").main(sys.argv[1:])
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)
