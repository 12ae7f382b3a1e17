"""The versions of the model of a run: each has its own prompt, and so its own vector space."""

import random
import threading
from collections.abc import Mapping

from embedding_project.contracts.model_spec import ModelType

FIRST = 1
ANSWERING = ("shadow", "active", "standby")
"""States in which a search may ask for a version."""


def prompt_of(version: int) -> str:
    """Put before queries and documents alike, so that equal texts still have equal vectors."""
    return f"version {version} reads: "


def registration(model_id: str, version: int, dimension: int, max_tokens: int) -> tuple[str, ...]:
    """The command of manage.py that adds the version."""
    prompt = prompt_of(version)
    return (
        *("register_model", "--model-id", model_id, "--type", ModelType.TRANSFORMERS, "--artifact", "hashing:"),
        *("--dimension", str(dimension), "--max-tokens", str(max_tokens)),
        *("--query-prompt", prompt, "--document-prompt", prompt),
    )


class KnownVersions:
    """Which versions searches may ask for, as far as the run knows. Safe for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._active = FIRST
        self._answering: tuple[int, ...] = (FIRST,)

    def learn(self, states: Mapping[int, str]) -> None:
        """Take over the states of all versions, by number."""
        with self._lock:
            self._answering = tuple(version for version, state in sorted(states.items()) if state in ANSWERING)
            self._active = next((version for version, state in states.items() if state == "active"), self._active)

    @property
    def active(self) -> int:
        with self._lock:
            return self._active

    @property
    def answering(self) -> tuple[int, ...]:
        with self._lock:
            return self._answering

    def any(self, chance: random.Random) -> int:
        """Most often the active one."""
        with self._lock:
            if chance.random() < 0.6 or not self._answering:
                return self._active
            return chance.choice(self._answering)
