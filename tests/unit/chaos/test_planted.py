"""Each planted bug has a run that provokes it."""

import subprocess
import sys

from tests.chaos.checks.all_checks import CHECKS
from tests.chaos.cluster import PLANTED_FOLDER
from tests.chaos.faults.catalogue import CATALOGUE
from tests.chaos.planted_runs import PLANTED

_NAMES = "from planted_bugs import BUGS; print(*BUGS)"


def test_every_bug_has_a_run_that_provokes_it() -> None:
    # As the roles find them: in the folder of the bugs alone.
    done = subprocess.run(
        (sys.executable, "-c", _NAMES), cwd=PLANTED_FOLDER, capture_output=True, text=True, timeout=60
    )
    assert set(PLANTED) == set(done.stdout.split()), done.stderr


def test_every_run_names_checks_that_there_are() -> None:
    names = {check.name for check in CHECKS}
    assert all(scene.caught_by and set(scene.caught_by) <= names for scene in PLANTED.values())


def test_every_run_uses_faults_of_the_catalogue() -> None:
    assert {name for scene in PLANTED.values() for name in scene.faults} <= set(CATALOGUE)
