"""The distinct values of a field in order, so that a range costs a few bisects and no test of each value.

New values wait in a dict, and become a sorted run at the next range query or when there are many. A run joins the run
before it when it is half as large, up to a limit: so each value moves a few times only, and no single step takes long.
A removed value stays in its run, without a code, until the run is written again.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int32]
Bound = tuple[str, Any]
"""An operator and its operand."""
_WAITING = 1_024
_MAX_RUN = 65_536
"""To sort so many takes about 20 ms. A range query reads every run, so runs must not be small and many."""
_GONE = -1


class _Run:
    def __init__(self, values: list[Any], codes: Codes) -> None:
        self.values = values
        """In rising order. Among the values that have a code, none is there twice."""
        self.codes = codes
        self.gone = 0

    def range(self, bounds: Sequence[Bound]) -> Codes:
        """With the places of removed values."""
        start, stop = 0, len(self.values)
        for operator, operand in bounds:
            cut = (bisect_right if operator in ("gt", "lte") else bisect_left)(self.values, operand)
            start, stop = (max(start, cut), stop) if operator in ("gt", "gte") else (start, min(stop, cut))
        return self.codes[start:stop]

    def present(self) -> tuple[list[Any], Codes]:
        places = np.flatnonzero(self.codes != _GONE)
        return [self.values[place] for place in places.tolist()], self.codes[places]


class SortedValues:
    """Values of one type that compare with each other, each with its code."""

    def __init__(self, waiting: int = _WAITING, max_run: int = _MAX_RUN) -> None:
        self._max_waiting = waiting
        self._max_run = max_run
        self._waiting: dict[Any, int] = {}
        self._runs: list[_Run] = []

    def update(self, codes: Mapping[Any, int]) -> None:
        """Add many new values in one sort."""
        self._waiting.update(codes)
        self._sort_waiting()

    def add(self, value: Any, code: int) -> None:
        """Add a new value."""
        self._waiting[value] = code
        if len(self._waiting) >= self._max_waiting:
            self._sort_waiting()

    def remove(self, value: Any, code: int) -> None:
        if self._waiting.pop(value, None) is not None:
            return
        for number, run in enumerate(self._runs):
            place = bisect_left(run.values, value)
            if place < len(run.values) and run.codes[place] == code:
                run.codes[place] = _GONE
                run.gone += 1
                if 2 * run.gone > len(run.values):
                    self._runs[number : number + 1] = [_Run(*run.present())] if run.gone < len(run.values) else []
                return

    def range(self, *bounds: Bound) -> Codes:
        """The codes of the values for which `value operator operand` holds for all bounds; gt, gte, lt or lte."""
        self._sort_waiting()
        found = [run.range(bounds) for run in self._runs]
        codes = np.concatenate([np.empty(0, np.int32), *found])
        present: Codes = codes[codes != _GONE]
        return present

    def at_most(self, *bounds: Bound) -> int:
        """No more codes than this are in the range; they are fewer when values were removed."""
        self._sort_waiting()
        return sum(len(run.range(bounds)) for run in self._runs)

    def _sort_waiting(self) -> None:
        values = sorted(self._waiting)
        codes = np.array([self._waiting[value] for value in values], np.int32)
        self._waiting.clear()
        for start in range(0, len(values), self._max_run):
            stop = start + self._max_run
            self._append(_Run(values[start:stop], codes[start:stop].copy()))

    def _append(self, run: _Run) -> None:
        while self._runs and len(self._runs[-1].values) <= min(2 * len(run.values), self._max_run - len(run.values)):
            run = _joined(self._runs.pop(), run)
        self._runs.append(run)


def _joined(*runs: _Run) -> _Run:
    parts = [run.present() for run in runs]
    values = [value for part, _ in parts for value in part]
    codes = np.concatenate([part for _, part in parts])
    # To sort two sorted lists, Python merges them.
    order = sorted(range(len(values)), key=values.__getitem__)
    return _Run([values[place] for place in order], codes[order])
