"""Each planted bug has a run that provokes it."""

from tests.chaos.checks.all_checks import CHECKS
from tests.chaos.faults.catalogue import CATALOGUE
from tests.chaos.planted.planted_bugs import BUGS
from tests.chaos.planted_runs import PLANTED


def test_every_bug_has_a_run_that_provokes_it() -> None:
    assert set(PLANTED) == set(BUGS)


def test_every_run_names_checks_that_there_are() -> None:
    names = {check.name for check in CHECKS}
    assert all(scene.caught_by and set(scene.caught_by) <= names for scene in PLANTED.values())


def test_every_run_uses_faults_of_the_catalogue() -> None:
    assert {name for scene in PLANTED.values() for name in scene.faults} <= set(CATALOGUE)
