"""The environment with pyspark, as the tests that need it make it where nobody has made it yet."""

import subprocess

from tests.conftest import ROOT, once

_INSTALL_SECONDS = 900


def set_up_spark() -> None:
    """As `make setup-spark`, but for what that makes first: .venv runs this test already."""
    command = ["make", "--silent", "setup-spark", "STAMP="]
    once("spark", lambda: subprocess.run(command, cwd=ROOT, check=True, timeout=_INSTALL_SECONDS))
