"""Which values of a field pass some conditions: found once, and then right for as long as somebody holds it.

To find them takes milliseconds in a field of a million values. A filter that is tested on documents piece by piece has
them found once; a value that documents get between two pieces is tested alone.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedding_project.contracts.filters import Condition, holds
from index_nodes.sorted_values import Codes

_SPARE = 1_024


class PassingValues:
    """Under the lock of the index."""

    def __init__(self, conditions: Sequence[Condition], values: int, codes: Codes) -> None:
        """`codes`: of the values that pass now, below `values`."""
        self._conditions = conditions
        # The last entry answers for absent values, whose code is -1.
        self._marks = np.zeros(values + 1, np.bool_)
        self._marks[codes] = True

    def of(self, codes: Codes) -> NDArray[np.bool_]:
        """For each code of a document whether its value passes."""
        found: NDArray[np.bool_] = self._marks[codes]
        return found

    def note(self, code: int, value: Any) -> None:
        """A code stands for a new value."""
        if code >= len(self._marks) - 1:
            grown = np.zeros(len(self._marks) + _SPARE, np.bool_)
            grown[: len(self._marks) - 1] = self._marks[:-1]
            self._marks = grown
        self._marks[code] = all(holds(condition, value) for condition in self._conditions)
