"""`python -m tests.again ARGUMENTS`: pytest with these arguments, then once more what failed, one test after the other.

Thousands of tests share two processors with whole instances. One that failed because nothing got its turn passes when
it is by itself; one that failed because of the code fails again. Both reports stay in the output, and its last lines
name what passed only by itself: such a test, or what it tests, is to be mended, but it does not stop the change.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

# What fails in more files than this is no chance.
FILES = 3


def main(arguments: list[str]) -> int:
    """The exit status of the first run, or of the second when there is one."""
    # What a test makes up, it makes up once more: see test_schema_fuzzing.py.
    os.environ.setdefault("FUZZ_SEED", str(random.randrange(2**32)))
    with tempfile.TemporaryDirectory(prefix="failed-tests-") as folder:
        # A folder of its own: a test that failed in an earlier run is none of this one.
        remembered = ["-o", f"cache_dir={folder}"]
        status = _run([*arguments, *remembered])
        failed = _failed(Path(folder))
        files = {name.split("::")[0] for name in failed}
        if status != pytest.ExitCode.TESTS_FAILED or not 0 < len(files) <= FILES:
            return status
        print(f"\nOnce more, by themselves: {len(failed)} of the tests", flush=True)
        status = _run([*arguments, *remembered, "--numprocesses=0", "--last-failed"])
        print("\nFailed at first, then by themselves:", flush=True)
        failed_again = _failed(Path(folder))
        for name in failed:
            print(f"  {'failed' if name in failed_again else 'passed'} {name}", flush=True)
        return status


def _run(arguments: list[str]) -> int:
    return subprocess.run([sys.executable, "-m", "pytest", *arguments], check=False).returncode


def _failed(folder: Path) -> list[str]:
    """The tests, or the files that could not be read, which failed in the last run."""
    file = folder / "v" / "cache" / "lastfailed"
    return sorted(json.loads(file.read_text())) if file.exists() else []


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
