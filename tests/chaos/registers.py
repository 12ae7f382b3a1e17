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
        given_up = attempt.operation.finished
        return any(
            other.acknowledged and given_up <= other.operation.invoked and other.operation.finished <= at
            for other in self.attempts
        )


def registers_of(operations: Iterable[Operation]) -> dict[Place, Register]:
    """Every document that was ever to be written."""
    found: dict[Place, Register] = defaultdict(Register)
    for operation, written in writes_of(tuple(operations)):
        register = found[operation.place_of(written)]
        if operation.outcome is not Outcome.FAIL:
            register.attempts.append(Attempt(operation, written))
    for register in found.values():
        register.attempts.sort(key=lambda attempt: attempt.operation.invoked)
    return dict(found)
