"""What a measurement found: figures with their goals, as one table and as a JSON file each.

Measurements return figures; only `__main__` makes reports of them.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.machine import Machine

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound that a figure should keep."""

    bound: float
    at_least: bool
    """Whether the bound is a floor; a ceiling otherwise."""

    def met_by(self, value: float) -> bool:
        return value >= self.bound if self.at_least else value < self.bound

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<'} {self.bound:,g}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One number."""

    name: str
    value: float
    unit: str
    goal: Goal | None = None
    note: str = ""
    """What the number needs to be read rightly: processor shares, sizes, the setting."""

    @property
    def verdict(self) -> str:
        if self.goal is None:
            return ""
        return "met" if self.goal.met_by(self.value) else "MISSED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything one run of one measurement found."""

    name: str
    command: str
    date: str
    """UTC, ISO 8601."""
    commit: str
    seconds: float
    """How long the run took, starting and loading the instance included."""
    data: str
    """Which texts and vectors were used."""
    machine: Machine
    figures: tuple[Figure, ...]
    notes: tuple[str, ...] = field(default=())

    def save(self) -> Path:
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{self.name}.json"
        figures = [
            {**asdict(figure), "goal": str(figure.goal) if figure.goal else None, "verdict": figure.verdict}
            for figure in self.figures
        ]
        path.write_text(json.dumps({**asdict(self), "figures": figures}, indent=1) + "\n", encoding="utf-8")
        return path


def stored(name: str) -> bool:
    """Whether there are figures of an earlier run."""
    return (RESULTS / f"{name}.json").exists()


def load(name: str) -> tuple[Figure, ...]:
    """The figures of the last run of a measurement. Raises OSError."""
    content = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return tuple(
        Figure(item["name"], item["value"], item["unit"], _goal(item["goal"]), item["note"])
        for item in content["figures"]
    )


def _goal(text: str | None) -> Goal | None:
    if text is None:
        return None
    sign, bound = text.split()
    return Goal(float(bound.replace(",", "")), at_least=sign == ">=")


def render(sections: Sequence[tuple[str, Sequence[Figure]]]) -> str:
    """One Markdown table of the figures of several measurements."""
    head = ("measurement", "figure", "value", "unit", "goal", "", "note")
    rows = [
        (name, figure.name, _number(figure.value), figure.unit, str(figure.goal or ""), figure.verdict, figure.note)
        for name, figures in sections
        for figure in figures
    ]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    rule = tuple("-" * (width - 1) + ":" if column == 2 else "-" * width for column, width in enumerate(widths))
    lines = [_line(head, widths), _line(rule, widths), *(_line(row, widths) for row in rows)]
    return "\n".join(lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        cell.rjust(width) if column == 2 else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return f"| {' | '.join(padded)} |".rstrip()


def _number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.4f}" if abs(value) < 1 else f"{value:.2f}"
