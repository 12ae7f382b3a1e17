"""A short chaos run is sound, and the checks of such a run see a bug when there is one."""

from pathlib import Path

import pytest

from tests.chaos.planted_runs import planted_options
from tests.chaos.run import Options, run

SEED = 11
SECONDS = 45.0
FAULTS_AT_LEAST = 4
"""A busy machine takes its time with each."""


@pytest.mark.slow
def test_no_promise_is_broken_under_faults_at_random(tmp_path: Path) -> None:
    verdict = run(Options(seed=SEED, seconds=SECONDS, folder=tmp_path), print)
    assert verdict.violations == {}
    assert sum(verdict.faults.values()) >= FAULTS_AT_LEAST


@pytest.mark.slow
def test_a_planted_bug_is_caught(tmp_path: Path) -> None:
    verdict = run(planted_options("namespaces-mixed", SEED, tmp_path), print)
    assert "C4 strangers" in verdict.violations
