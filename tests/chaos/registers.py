"""Each document as a register: its writes in the order of their revisions, and what a read may show at a moment.

Postgres counts the revision of a document while it holds its row, so revisions are the order of the writes, whoever
sent them. A client sends the next write only when the last one has come back or is lost. Postgres holds the row of a
write until its transaction has ended either way. So a write that was acknowledged has two things behind it: every write
with a lower revision, and every write without an answer that was given up before it was sent.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tests.chaos.content import Place
from tests.chaos.history import ABSENT, Operation, Outcome, Written, writes_of


@dataclass(frozen=True, slots=True)
class Attempt:
    operation: Operation
    written: Written

    @property
    def acknowledged(self) -> bool:
        return self.operation.outcome is Outcome.OK


@dataclass(slots=True)
class Register:
    attempts: list[Attempt] = field(default_factory=list)
    """In the order in which they were sent, without those that certainly changed nothing."""
    behind_from: dict[int, float] = field(default_factory=dict)
    """Number of a write without an answer -> when one that was sent after it was given up is acknowledged."""

    def possible(self, begin: float, end: float) -> list[Attempt | None]:
        """The writes whose result a read between `begin` and `end` may show; None stands for no write at all."""
        settled = self.settled(begin)
        later = [attempt for attempt in self.attempts if attempt.operation.invoked < end and attempt is not settled]
        return [settled, *(attempt for attempt in later if not self._is_behind(attempt, settled, begin))]

    def versions(self, begin: float, end: float) -> set[int]:
        return {attempt.written.version if attempt else ABSENT for attempt in self.possible(begin, end)}

    def settled(self, at: float) -> Attempt | None:
        """Of the writes that were acknowledged before `at`, the one with the highest revision."""
        done = (attempt for attempt in self.attempts if attempt.acknowledged and attempt.operation.finished <= at)
        return max(done, key=lambda attempt: attempt.written.revision, default=None)

    def undisturbed(self, begin: float, end: float) -> Attempt | None:
        """The write that was settled at `begin`, if no other could be seen until `end`."""
        possible = self.possible(begin, end)
        return possible[0] if len(possible) == 1 else None

    def texts(self) -> Mapping[int, int]:
        """Version -> the text it was written with."""
        return {attempt.written.version: attempt.written.text_version for attempt in self.attempts}

    def _is_behind(self, attempt: Attempt, settled: Attempt | None, at: float) -> bool:
        """Whether the settled write, or another that was acknowledged by then, certainly came after this one."""
        if attempt.acknowledged:
            return settled is not None and attempt.written.revision <= settled.written.revision
        return self.behind_from[attempt.operation.number] <= at

    def settle_order(self) -> None:
        """To be called once all writes are there."""
        self.attempts.sort(key=lambda attempt: attempt.operation.invoked)
        acknowledged = [attempt.operation for attempt in self.attempts if attempt.acknowledged]
        for lost in (attempt.operation for attempt in self.attempts if not attempt.acknowledged):
            later = (one.finished for one in acknowledged if one.invoked >= lost.finished)
            self.behind_from[lost.number] = min(later, default=float("inf"))


def registers_of(operations: Iterable[Operation]) -> dict[Place, Register]:
    """Every document that was ever to be written."""
    found: dict[Place, Register] = defaultdict(Register)
    for operation, written in writes_of(tuple(operations)):
        register = found[operation.place_of(written)]
        if operation.outcome is not Outcome.FAIL:
            register.attempts.append(Attempt(operation, written))
    for register in found.values():
        register.settle_order()
    return dict(found)
