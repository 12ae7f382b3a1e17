"""A restore in a process of its own that stays for minutes before its commit, for test_interruptions.py."""

import os
import sys
from functools import partial
from pathlib import Path

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "embedding_project.settings"
django.setup()

from embeddings_app.services.backups.restoring import Waits, restore_backup  # noqa: E402


def main(directory: Path) -> None:
    say = partial(print, flush=True)
    restore_backup(directory, directory, "command:tests", say, replace=True, waits=Waits(settle_seconds=600.0))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
