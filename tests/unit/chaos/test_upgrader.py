"""The order in which a run takes the steps of model versions."""

import pytest

from tests.chaos.upgrader import next_step
from tests.chaos.versions import KnownVersions


@pytest.mark.parametrize(
    ("states", "rolls_back", "name", "version"),
    [
        ({1: "active"}, False, "register", None),
        ({1: "active"}, True, "register", None),
        ({1: "active", 2: "draft"}, False, "probe", 2),
        ({1: "active", 2: "probed"}, False, "start", 2),
        ({1: "active", 2: "shadow"}, True, "switch", 2),
        ({1: "standby", 2: "active"}, False, "register", None),
        ({1: "standby", 2: "active"}, True, "roll back", 1),
        ({1: "active", 2: "standby"}, True, "switch", 2),
        ({1: "standby", 2: "standby", 3: "active"}, True, "retire", 1),
        ({1: "retiring", 2: "standby", 3: "active"}, False, "register", None),
    ],
)
def test_each_state_has_its_step(states: dict[int, str], rolls_back: bool, name: str, version: int | None) -> None:
    step = next_step(states, rolls_back=rolls_back)
    assert step is not None
    assert step.name == name
    assert version is None or step.command[3] == str(version)


def test_a_version_that_is_filled_is_waited_for() -> None:
    assert next_step({1: "active", 2: "backfilling"}, rolls_back=True) is None


def test_the_prompts_of_a_version_name_it() -> None:
    step = next_step({1: "active"}, rolls_back=False)
    assert step is not None
    assert step.command[-4:] == (
        *("--query-prompt", "version 2 reads: "),
        *("--document-prompt", "version 2 reads: "),
    )


def test_clients_learn_which_versions_answer() -> None:
    known = KnownVersions()
    assert (known.active, known.answering) == (1, (1,))
    known.learn({1: "retired", 2: "standby", 3: "active", 4: "backfilling"})
    assert (known.active, known.answering) == (3, (2, 3))
