"""Folders of a test run, named after the process that made them, so that a later run can remove what a kill left."""

import os
import re
import shutil
import tempfile
from pathlib import Path

_NAME = "embeddings-tests-"


def make_folder(process: int, inside: Path | None = None) -> Path:
    """One that an unprivileged Postgres can reach when the tests run as root, so that its data lies inside."""
    folder = Path(tempfile.mkdtemp(prefix=f"{_NAME}{process}-", dir=inside))
    folder.chmod(0o755)
    return folder


def remove_abandoned(inside: Path) -> None:
    """Remove the folders whose process is gone. Those without a process in their name stay."""
    for folder in inside.glob(f"{_NAME}*"):
        process = re.match(rf"{_NAME}(\d+)-", folder.name)
        if process and not _runs(int(process[1])):
            shutil.rmtree(folder, ignore_errors=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
