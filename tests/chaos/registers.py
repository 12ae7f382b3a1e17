"""Each document as a register: its writes in their order, and what a read may show at a moment.

Postgres counts the revision of a document while it holds its row, so revisions are the order of the writes, whoever
sent them. A client sends the next write only when the last one has come back or is lost. Postgres holds the row of a
write until its transaction has ended either way. So a write that was acknowledged has two things behind it: every write
with a lower revision, and every write without an answer that was given up before it was sent.

A sweep deletes whatever passes a filter, or a whole namespace, and says no revision of any document. Once acknowledged,
it has behind it every write that passes and was acknowledged before the sweep was sent. In a namespace that is dropped
now and then, revisions begin again; there the times of requests alone are the order, and each document has one writer.
While a drop runs, processes may know the namespace of before or that of after it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.chaos.content import Place, passes
from tests.chaos.history import ABSENT, Kind, Operation, Outcome, Written, writes_of

KNOWN_SECONDS = 1.5
"""How long a process may still know a namespace after a drop whose answer was lost."""
_NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Attempt:
    operation: Operation
    written: Written

    @property
    def acknowledged(self) -> bool:
        return self.operation.outcome is Outcome.OK

    @property
    def sweeps(self) -> bool:
        return self.operation.asked.kind in (Kind.SWEEP, Kind.DROP)

    def takes(self, version: int) -> bool:
        """Whether this sweep deletes such a version of the document."""
        condition = self.operation.asked.condition
        return version != ABSENT and (condition is None or passes(condition, version))


@dataclass(slots=True)
class Register:
    attempts: list[Attempt] = field(default_factory=list)
    """In the order in which they were sent, without those that certainly changed nothing."""
    by_revision: bool = True
    """Whether revisions are the order of the writes."""
    sweeps: list[Attempt] = field(default_factory=list)
    """Of the attempts."""
    marks: list[Operation] = field(default_factory=list)
    """Updates by filter of its namespace, without those that certainly changed nothing."""
    drops: list[tuple[float, float]] = field(default_factory=list)
    """Times at which reads may be of before or after a drop."""
    behind_from: dict[int, float] = field(default_factory=dict)
    """Number of a write without a place among the revisions -> when one that was sent after its end is acknowledged."""

    def possible(self, begin: float, end: float) -> list[Attempt | None]:
        """The writes whose result a read between `begin` and `end` may show; None stands for no write at all."""
        started = [attempt for attempt in self.attempts if attempt.operation.invoked < end]
        if any(since < end and begin < until for since, until in self.drops):
            return [None, *started]
        settled = self.settled(begin)
        later = [one for one in started if not self._is_behind(one, settled, begin)]
        left = [one for one in later if not self._is_swept(one, begin) and (not one.sweeps or _found(one, later))]
        return [*left] if settled else [None, *left]

    def versions(self, begin: float, end: float) -> set[int]:
        return {attempt.written.version if attempt else ABSENT for attempt in self.possible(begin, end)}

    def settled(self, at: float) -> Attempt | None:
        """Of the single writes that were acknowledged before `at`, the last."""
        done = (one for one in self.attempts if one.acknowledged and not one.sweeps and one.operation.finished <= at)
        return max(done, key=self._place, default=None)

    def undisturbed(self, begin: float, end: float) -> Attempt | None:
        """The write that was settled at `begin`, if no other could be seen until `end`."""
        possible = self.possible(begin, end)
        return possible[0] if len(possible) == 1 else None

    def texts(self) -> Mapping[int, int]:
        """Version -> the text it was written with."""
        return {attempt.written.version: attempt.written.text_version for attempt in self.attempts}

    def marks_on(self, version: int, until: float) -> list[Operation]:
        """The updates sent before `until` that may have changed such a version."""
        return [one for one in self.marks if one.invoked < until and _is_marked(one, version)]

    def _place(self, attempt: Attempt) -> float:
        return attempt.written.revision if self.by_revision else attempt.operation.invoked

    def _has_revision(self, attempt: Attempt) -> bool:
        return self.by_revision and attempt.acknowledged and not attempt.sweeps

    def _is_behind(self, attempt: Attempt, settled: Attempt | None, at: float) -> bool:
        """Whether the settled write, or another that was acknowledged by then, certainly came after this one."""
        if attempt is settled:
            return False
        if self._has_revision(attempt):
            return settled is not None and attempt.written.revision <= settled.written.revision
        return self.behind_from[attempt.operation.number] <= at

    def _is_swept(self, attempt: Attempt, at: float) -> bool:
        """Whether a sweep that was acknowledged by then certainly found this write."""
        return attempt.acknowledged and any(
            sweep.acknowledged
            and sweep.operation.finished <= at
            and sweep.operation.invoked >= attempt.operation.finished
            and sweep.takes(attempt.written.version)
            for sweep in self.sweeps
        )

    def settle_order(self, sweeps: Sequence[Operation]) -> None:
        """To be called once all writes are there; `sweeps` are those of the namespace."""
        self.attempts.sort(key=lambda attempt: attempt.operation.invoked)
        acknowledged = [attempt.operation for attempt in self.attempts if attempt.acknowledged]
        self._settle(acknowledged, self.attempts)
        document = self.attempts[0].written if self.attempts else None
        for sweep in sweeps if document else ():
            gone = Written(doc_id=document.doc_id, version=ABSENT, text_version=ABSENT) if document else None
            if gone and self._may_take(attempt := Attempt(sweep, gone)):
                self.sweeps.append(attempt)
        self._settle(acknowledged, self.sweeps)
        self.attempts = sorted([*self.attempts, *self.sweeps], key=lambda attempt: attempt.operation.invoked)
        self.drops = [_unsettled(one) for one in sweeps if one.asked.kind is Kind.DROP]

    def _settle(self, acknowledged: Sequence[Operation], attempts: Iterable[Attempt]) -> None:
        for one in (attempt.operation for attempt in attempts if not self._has_revision(attempt)):
            later = (other.finished for other in acknowledged if other.invoked >= one.finished)
            self.behind_from[one.number] = min(later, default=_NEVER)

    def _may_take(self, sweep: Attempt) -> bool:
        """Whether the document may have been such that the sweep deletes it. One without an answer may go on for a
        while."""
        end = sweep.operation.finished if sweep.acknowledged else _NEVER
        there = self.possible(sweep.operation.invoked, end)
        return any(one is not None and sweep.takes(one.written.version) for one in there)


def registers_of(operations: Iterable[Operation]) -> dict[Place, Register]:
    """Every document that was ever to be written."""
    history = tuple(operations)
    of_namespace = defaultdict[str, list[Operation]](list)
    for operation in history:
        if operation.asked.kind in (Kind.SWEEP, Kind.DROP, Kind.MARK) and operation.outcome is not Outcome.FAIL:
            of_namespace[operation.asked.namespace].append(operation)
    found: dict[Place, Register] = defaultdict(Register)
    for operation, written in writes_of(history):
        register = found[operation.place_of(written)]
        if operation.outcome is not Outcome.FAIL:
            register.attempts.append(Attempt(operation, written))
    for place, register in found.items():
        changes = of_namespace[place.namespace]
        register.by_revision = all(one.asked.kind is not Kind.DROP for one in changes)
        register.marks = [one for one in changes if one.asked.kind is Kind.MARK]
        register.settle_order([one for one in changes if one.asked.kind is not Kind.MARK])
    return dict(found)


def _found(sweep: Attempt, later: Sequence[Attempt]) -> bool:
    """Whether there is a write that the sweep may have deleted and no other has replaced: one that was acknowledged and
    does not pass is there afterwards, whether it came before the sweep or after it."""
    return any(
        not one.sweeps
        and sweep.takes(one.written.version)
        and not (sweep.acknowledged and one.operation.invoked >= sweep.operation.finished)
        for one in later
    )


def _is_marked(mark: Operation, version: int) -> bool:
    return version != ABSENT and (mark.asked.condition is None or passes(mark.asked.condition, version))


def _unsettled(drop: Operation) -> tuple[float, float]:
    return drop.invoked, drop.finished + (0.0 if drop.outcome is Outcome.OK else KNOWN_SECONDS)
