"""Leads the model of a run from version to version all through the run, whatever else is done to the instance."""

import random
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import psycopg

from tests.chaos.cluster import DIMENSION, MAX_TOKENS, MODEL, Cluster
from tests.chaos.versions import KnownVersions, registration
from tests.loaded_commands import loaded_commands

_PAUSE_SECONDS = 0.7
_ROLLED_BACK_SHARE = 0.3
_KEPT_BEHIND = 2
"""A version that many behind the active one is retired."""
_STATES = "SELECT version, status FROM model_registry WHERE model_id = %s ORDER BY version"
OVERRIDE = ("--override", "--reason", "every version is a space of its own")
"""Nothing of one version's ranking is left in the next, which the gate must refuse."""


@dataclass(frozen=True, slots=True)
class Step:
    name: str
    command: tuple[str, ...]


def next_step(states: Mapping[int, str], *, rolls_back: bool) -> Step | None:
    """What comes next for versions in these states; None while one is filled. `rolls_back` when it may go back."""
    newest = max(states)
    active = next((version for version, state in states.items() if state == "active"), newest)
    behind = [version for version in states if version <= active - _KEPT_BEHIND and states[version] == "standby"]
    if behind:
        return Step("retire", ("models", "retire", MODEL, str(behind[0])))
    match states[newest]:
        case "draft":
            return Step("probe", ("models", "probe", MODEL, str(newest)))
        case "probed":
            return Step("start", ("reembed", "start", MODEL, str(newest)))
        case "backfilling":
            return None
        case "active" if rolls_back and states.get(newest - 1) == "standby":
            return Step("roll back", ("models", "switch", MODEL, str(newest - 1)))
        case "active":
            return Step("register", registration(MODEL, newest + 1, DIMENSION, MAX_TOKENS))
        case _:
            return Step("switch", ("models", "switch", MODEL, str(newest), *OVERRIDE))


class Upgrader:
    """Runs from the constructor until `stop`. What is refused or cannot be reached is tried again."""

    def __init__(self, cluster: Cluster, known: KnownVersions, seed: int) -> None:
        self.steps: Counter[str] = Counter()
        """Name -> how often it was done; and how often a step was refused."""
        self.failures: list[Exception] = []
        """Faults of the upgrader itself, which void the run."""
        self._cluster = cluster
        self._known = known
        self._random = random.Random(f"{seed}/upgrades")
        self._rolled_back = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="upgrader")
        self._thread.start()

    def stop(self) -> None:
        """Returns when the step that is under way has ended."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            with loaded_commands(self._cluster.outside_environment(), knows_instance=True) as run:
                while not self._stopping.wait(_PAUSE_SECONDS):
                    step = self._look()
                    if step:
                        done = run(*step.command)
                        self.steps[step.name if done.returncode == 0 else "refused"] += 1
        except Exception as error:  # noqa: BLE001
            self.failures.append(error)

    def _look(self) -> Step | None:
        """Read the states, tell the clients, and decide; None when Postgres does not answer."""
        try:
            states: dict[int, str] = dict(self._cluster.rows(_STATES, MODEL))
        except psycopg.Error:
            return None
        self._known.learn(states)
        newest = max(states)
        rolls_back = self._rolled_back < newest and self._random.random() < _ROLLED_BACK_SHARE
        step = next_step(states, rolls_back=rolls_back)
        if step and step.name == "roll back":
            self._rolled_back = newest
        return step
