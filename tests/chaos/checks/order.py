"""C3 registers: the writes of a document have one order, and reads follow it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.chaos.checks.base import Check, Evidence, shown
from tests.chaos.content import Place
from tests.chaos.history import ABSENT, UNKNOWN_NAMESPACE, Kind, Operation
from tests.chaos.registers import Attempt, Register


class Registers(Check):
    """The last acknowledged revision wins, whoever wrote it; reads never go back; a text never changes alone."""

    name = "C3 registers"

    def violations(self, evidence: Evidence) -> Iterator[str]:
        yield from _not_possible(evidence)
        yield from _gone_too_early(evidence)
        yield from _namespace_gone_too_early(evidence)
        for place, register in evidence.registers.items():
            if not register.by_revision:
                continue
            written = [attempt for attempt in register.attempts if attempt.acknowledged and not attempt.sweeps]
            yield from (f"{place}: {fault}" for fault in _shared_revisions(written))
            yield from (f"{place}: {fault}" for fault in _went_back(_revisions_of(written)))
        for place, read in _reads(evidence).items():
            if place in evidence.registers and not evidence.registers[place].by_revision:
                continue
            yield from (f"{place}: {fault}" for fault in _went_back(read))


@dataclass(frozen=True, slots=True)
class _Revision:
    """A revision that somebody was told between two times."""

    revision: int
    operation: Operation


def _not_possible(evidence: Evidence) -> Iterator[str]:
    for operation, seen in shown(evidence):
        place = operation.place_of(seen)
        register = evidence.registers.get(place)
        if register is None:
            continue
        possible = register.versions(operation.invoked, operation.finished)
        where = f"(operation {operation.number})"
        if possible != {ABSENT} and seen.version not in possible:
            yield f"{place} was shown as version {seen.version}, possible are {sorted(possible)} {where}"
        if register.texts().get(seen.version, seen.text_version) != seen.text_version:
            yield f"{place} version {seen.version} was shown with text {seen.text_version} {where}"
        told = _revision_of(register, seen.version, seen.revision)
        changed = len(register.marks_on(seen.version, operation.finished))
        if seen.revision and register.by_revision and not told <= seen.revision <= told + changed:
            yield f"{place} version {seen.version} was shown as revision {seen.revision} {where}"


def _revision_of(register: Register, version: int, unknown: int) -> int:
    told = (attempt.written.revision for attempt in register.attempts if attempt.written.version == version)
    return next(told, 0) or unknown


def _gone_too_early(evidence: Evidence) -> Iterator[str]:
    for operation in evidence.operations:
        if operation.asked.kind is Kind.GET and operation.answered.status == 404:
            register = evidence.registers.get(operation.place)
            if register and ABSENT not in register.versions(operation.invoked, operation.finished):
                yield f"{operation.place} was said not to be there (operation {operation.number})"


def _namespace_gone_too_early(evidence: Evidence) -> Iterator[str]:
    by_namespace = defaultdict(list)
    for place, register in evidence.registers.items():
        by_namespace[place.namespace].append((place, register))
    for operation in evidence.operations:
        if operation.answered.code != UNKNOWN_NAMESPACE:
            continue
        for place, register in by_namespace[operation.asked.namespace]:
            if ABSENT not in register.versions(operation.invoked, operation.finished):
                yield f"the namespace of {place} was said not to be there (operation {operation.number})"


def _shared_revisions(written: Iterable[Attempt]) -> Iterator[str]:
    """Two writes never become one revision. A delete of what is deleted changes nothing, and may share one."""
    versions: dict[int, int] = {}
    for attempt in written:
        revision, version = attempt.written.revision, attempt.written.version
        if versions.setdefault(revision, version) != version:
            number = attempt.operation.number
            yield f"versions {versions[revision]} and {version} are both revision {revision} (operation {number})"


def _revisions_of(written: Iterable[Attempt]) -> list[_Revision]:
    return [_Revision(attempt.written.revision, attempt.operation) for attempt in written]


def _reads(evidence: Evidence) -> dict[Place, list[_Revision]]:
    reads = defaultdict(list)
    for operation, seen in shown(evidence):
        if seen.revision:
            reads[operation.place_of(seen)].append(_Revision(seen.revision, operation))
    return reads


def _went_back(told: Iterable[_Revision]) -> Iterator[str]:
    """A request that is sent after an answer with a revision never hears a lower one."""
    finished = sorted(told, key=lambda one: one.operation.finished)
    highest, place = 0, 0
    for one in sorted(finished, key=lambda one: one.operation.invoked):
        while place < len(finished) and finished[place].operation.finished <= one.operation.invoked:
            highest = max(highest, finished[place].revision)
            place += 1
        if one.revision < highest:
            yield f"revision {one.revision} was told after {highest} (operation {one.operation.number})"
