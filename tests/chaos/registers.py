"""Each document as a register: its writes, in the order of its only writer, and what a read may show at a moment.

A document has one writer, who sends the next write only when the last one has come back or is lost. Postgres holds the
row of a write until its transaction has ended either way, so a write that was acknowledged has every earlier one behind
it: what is unknown may only be true until then.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

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
    namespace: str
    attempts: list[Attempt] = field(default_factory=list)
    """Without those that certainly changed nothing."""

    def possible(self, begin: float, end: float) -> list[Attempt | None]:
        """The writes whose result a read between `begin` and `end` may show; None stands for no write at all."""
        settled = self.settled(begin)
        start = self.attempts.index(settled) + 1 if settled else 0
        return [settled, *(attempt for attempt in self.attempts[start:] if attempt.operation.invoked < end)]

    def versions(self, begin: float, end: float) -> set[int]:
        return {attempt.written.version if attempt else ABSENT for attempt in self.possible(begin, end)}

    def settled(self, at: float) -> Attempt | None:
        """The last write that was acknowledged before `at`."""
        done = (attempt for attempt in self.attempts if attempt.acknowledged and attempt.operation.finished <= at)
        return max(done, key=lambda attempt: attempt.operation.invoked, default=None)

    def undisturbed(self, begin: float, end: float) -> Attempt | None:
        """The write that was settled at `begin`, if no other was even tried until `end`."""
        possible = self.possible(begin, end)
        return possible[0] if len(possible) == 1 else None

    def texts(self) -> Mapping[int, int]:
        """Version -> the text it was written with."""
        return {attempt.written.version: attempt.written.text_version for attempt in self.attempts}


def registers_of(operations: Iterable[Operation]) -> dict[str, Register]:
    """Document id -> register. Ids of different namespaces differ."""
    found: dict[str, Register] = {}
    attempts: dict[str, list[Attempt]] = defaultdict(list)
    for operation, written in writes_of(tuple(operations)):
        found.setdefault(written.doc_id, Register(operation.asked.namespace))
        if operation.outcome is not Outcome.FAIL:
            attempts[written.doc_id].append(Attempt(operation, written))
    for doc_id, register in found.items():
        register.attempts = sorted(attempts[doc_id], key=lambda attempt: attempt.operation.invoked)
    return found
