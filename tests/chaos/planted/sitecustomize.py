"""Puts one planted bug into every process that starts with this folder on its PYTHONPATH and PLANTED_BUG set.

A module is changed right after it was executed, before anybody can import a name from it. The product knows nothing
of this.
"""

import importlib.util
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from planted_bugs import BUGS

Change = Callable[[Any], None]


class _ChangingFinder:
    """Finds modules as ever, and has some of them changed."""

    def __init__(self, changes: Mapping[str, Change]) -> None:
        self._changes = dict(changes)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        change = self._changes.pop(name, None)
        if change is None:
            return None
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            raise ImportError(f"{name} is gone: the planted bug has nowhere to grow")
        execute = spec.loader.exec_module

        def execute_and_change(module: ModuleType) -> None:
            execute(module)
            change(module)

        spec.loader.exec_module = execute_and_change  # type: ignore[method-assign]
        return spec


if bug := os.environ.get("PLANTED_BUG"):
    sys.meta_path.insert(0, _ChangingFinder(BUGS[bug]))
