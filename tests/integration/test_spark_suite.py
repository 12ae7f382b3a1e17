"""The tests of bulk jobs on Spark, in a run of their own: pyspark is in an environment that only they need."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from supervisor.java import SPARK_VENV
from tests.conftest import ROOT, RUN_DIR
from tests.servers import REDIS_DATABASES
from tests.spark_packages import set_up_spark

SUITE = Path(__file__).parent / "spark_suite"
SUITE_SECONDS = 1_800
LEAST_TESTS = 14


@pytest.mark.slow
def test_the_suite_of_spark_passes(migrated: None) -> None:
    set_up_spark()
    # One more process of this run, with a database of its own.
    environ = {"PYTEST_XDIST_WORKER": f"gw{REDIS_DATABASES - 2}", "VAR_DIR": str(RUN_DIR / "spark")}
    options = ("-c", SUITE / "pytest.ini", "--rootdir", ROOT, "--confcutdir", ROOT)
    run = subprocess.run(
        [SPARK_VENV / "bin" / "python", "-m", "pytest", *options, SUITE],
        env={**os.environ, **environ},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SUITE_SECONDS,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:]
    summary = run.stdout.splitlines()[-1]
    passed = re.search(r"(\d+) passed", summary)
    assert passed is not None, summary
    assert int(passed[1]) >= LEAST_TESTS, summary
    assert "skipped" not in summary
