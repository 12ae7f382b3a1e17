"""Which namespaces of an index a builder must look at: those that changed, and those whose time has come.

So an index of many namespaces costs nothing while nobody writes. The `VersionIndex` holds its lock around each call.
"""

from dataclasses import dataclass

from index_nodes.build_lanes import Lane

_AT_ONCE = float("-inf")
NOT_BY_TIME = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStep:
    """What a look at one namespace found."""

    rows: int | None
    """How many rows its next build would insert; None when no build is due."""
    again_at: float
    """When to look again although nothing has changed; `NOT_BY_TIME` when that is not needed."""


class BuildAgenda:
    def __init__(self) -> None:
        self._look_at: dict[int, float] = {}
        self._due: dict[int, int] = {}

    def note_change(self, namespace_key: int) -> None:
        self._look_at[namespace_key] = _AT_ONCE

    def to_look_at(self, now: float) -> list[int]:
        return [key for key, at in self._look_at.items() if at <= now]

    def note(self, namespace_key: int, step: NextStep) -> None:
        """Keep what the look found, in place of what was known before."""
        self.forget(namespace_key)
        if step.rows is not None:
            self._due[namespace_key] = step.rows
        if step.again_at < NOT_BY_TIME:
            self._look_at[namespace_key] = step.again_at

    def forget(self, namespace_key: int) -> None:
        self._look_at.pop(namespace_key, None)
        self._due.pop(namespace_key, None)

    def next(self, lane: Lane) -> tuple[int, int] | None:
        """Of the builds of a lane that are due, the one that inserts the fewest rows: its namespace and these rows."""
        due = ((rows, key) for key, rows in self._due.items() if lane.takes(rows))
        rows, key = min(due, default=(0, None))
        return None if key is None else (key, rows)
