"""C12 listings and C13 changes: documents that come and go, or are changed by filter or on condition, meanwhile."""

from collections.abc import Iterator

from tests.chaos.checks.base import Check, Evidence, shown
from tests.chaos.content import Place, passes
from tests.chaos.history import ABSENT, Kind, Operation, Outcome, Seen
from tests.chaos.registers import Attempt, Register

_CONFLICT = "revision_conflict"


class Listings(Check):
    """A listing, whatever happens between its pages, has each document that lived and passed throughout, in order."""

    name = "C12 listings"

    def violations(self, evidence: Evidence) -> Iterator[str]:
        for operation in evidence.operations:
            if operation.asked.kind is not Kind.LIST or operation.outcome is not Outcome.OK:
                continue
            where = f"(operation {operation.number})"
            ids = [seen.doc_id.encode() for seen in operation.answered.seen]
            if ids not in (sorted(ids), sorted(ids, reverse=True)):
                yield f"documents were listed out of order {where}"
            yield from (
                f"{place} was there throughout and not listed {where}"
                for place in _throughout(operation, evidence) - set(operation.found)
            )


def _throughout(operation: Operation, evidence: Evidence) -> set[Place]:
    own = (
        (place, register)
        for place, register in evidence.registers.items()
        if place.namespace == operation.asked.namespace
    )
    return {place for place, register in own if _always_passes(register, operation)}


def _always_passes(register: Register, operation: Operation) -> bool:
    condition, versions = operation.asked.condition, register.versions(operation.invoked, operation.finished)
    return ABSENT not in versions and (condition is None or all(passes(condition, version) for version in versions))


class Changes(Check):
    """An update by filter is seen in what passed before it was sent, until the document is written again, and in
    nothing else. A write on condition happens at the revision that it names, and is refused only at another."""

    name = "C13 changes"

    def violations(self, evidence: Evidence) -> Iterator[str]:
        for operation, seen in shown(evidence):
            place = operation.place_of(seen)
            register = evidence.registers.get(place)
            if register and seen.mark not in _possible_marks(register, seen, operation):
                yield f"{place} version {seen.version} was shown with mark {seen.mark} (operation {operation.number})"
        for operation in evidence.operations:
            if operation.asked.if_revision is not None:
                yield from (f"{fault} (operation {operation.number})" for fault in _wrong_claim(operation, evidence))


def _possible_marks(register: Register, seen: Seen, operation: Operation) -> set[int]:
    """0 stands for none since the document was written."""
    written = next((one for one in register.attempts if one.written.version == seen.version), None)
    if written is None or seen.version == ABSENT:
        return {seen.mark}
    since = written.operation
    sent = register.marks_on(seen.version, operation.finished)
    certain = [
        one
        for one in sent
        if one.outcome is Outcome.OK
        and one.finished <= operation.invoked
        and written.acknowledged
        and one.invoked >= since.finished
    ]
    later = (one for one in sent if one.outcome is not Outcome.OK or one.finished > since.invoked)
    marks = {one.asked.mark for one in later if not any(other.invoked >= one.finished for other in certain)}
    return marks if certain else {0, *marks}


def _wrong_claim(operation: Operation, evidence: Evidence) -> Iterator[str]:
    (asked,) = operation.asked.writes
    place, named = operation.place_of(asked), operation.asked.if_revision
    register = evidence.registers.get(place)
    before = _without(register, operation) if register else []
    if operation.outcome is Outcome.OK:
        (written,) = operation.answered.writes
        if named and written.revision != named + 1:
            yield f"{place} was to be written at revision {named} and became {written.revision}"
        if not named and before and all(one and one.written.version != ABSENT for one in before):
            yield f"{place} was to be written only if it is not there, and it was"
    elif operation.answered.code == _CONFLICT and register and len(before) == 1 and named:
        (only,) = before
        unchanged = only is not None and only.acknowledged and not only.sweeps and not _marked(register, only)
        if only and unchanged and only.written.revision == named:
            yield f"{place} was at revision {named} all the time, and a write on that condition was refused"


def _without(register: Register, operation: Operation) -> list[Attempt | None]:
    possible = register.possible(operation.invoked, operation.finished)
    return [one for one in possible if one is None or one.operation is not operation]


def _marked(register: Register, attempt: Attempt) -> bool:
    return bool(register.marks_on(attempt.written.version, float("inf")))
