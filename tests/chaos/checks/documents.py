"""C1 lost, C2 resurrected, C3 registers, C4 strangers: which documents answers show, against what was written."""

from collections.abc import Iterator

from tests.chaos.checks.base import Check, Evidence
from tests.chaos.final_state import AUDITOR
from tests.chaos.history import ABSENT, Kind, Operation, Outcome, Seen, writes_of


class Lost(Check):
    """What was acknowledged last is there in the end, and found by its own text."""

    name = "C1 lost"

    def violations(self, evidence: Evidence) -> Iterator[str]:
        audited = [operation for operation in evidence.operations if operation.client == AUDITOR]
        read = {operation.asked.doc_id for operation in audited if operation.asked.kind is Kind.GET}
        yield from (f"{doc_id} was never read in the end" for doc_id in evidence.registers.keys() - read)
        for operation in audited:
            fault = _unread(operation) or _missing(operation, evidence)
            if fault:
                yield f"{operation.asked.doc_id} {fault} (operation {operation.number})"


def _unread(operation: Operation) -> str:
    return "" if operation.served else f"could not be read at rest: {operation.answered.status}"


def _missing(operation: Operation, evidence: Evidence) -> str:
    asked, answered = operation.asked, operation.answered
    if asked.kind is Kind.GET:
        possible = evidence.registers[asked.doc_id].versions(operation.invoked, operation.finished)
        gone = answered.status == 404 and ABSENT not in possible
        return f"is gone; it should be one of {sorted(possible)}" if gone else ""
    found = any(seen.doc_id == asked.doc_id and not seen.stale for seen in answered.seen)
    return "" if found and not answered.partial else f"is not found by its text {asked.text_version}"


class Resurrected(Check):
    """An answer never shows a document whose delete was acknowledged before the request, and no write since."""

    name = "C2 resurrected"

    def violations(self, evidence: Evidence) -> Iterator[str]:
        for operation, seen in _shown(evidence):
            register = evidence.registers.get(seen.doc_id)
            if register and register.versions(operation.invoked, operation.finished) == {ABSENT}:
                yield f"{seen.doc_id} was shown after its delete (operation {operation.number})"


class Registers(Check):
    """A read shows the last acknowledged write, or an unknown or running one after it; a text never changes alone."""

    name = "C3 registers"

    def violations(self, evidence: Evidence) -> Iterator[str]:
        for operation, seen in _shown(evidence):
            register = evidence.registers.get(seen.doc_id)
            if register is None:
                continue
            possible = register.versions(operation.invoked, operation.finished)
            where = f"(operation {operation.number})"
            if possible != {ABSENT} and seen.version not in possible:
                yield f"{seen.doc_id} was shown as version {seen.version}, possible are {sorted(possible)} {where}"
            if register.texts().get(seen.version, seen.text_version) != seen.text_version:
                yield f"{seen.doc_id} version {seen.version} was shown with text {seen.text_version} {where}"
        yield from _gone_too_early(evidence)
        yield from _counted_back(evidence)


def _gone_too_early(evidence: Evidence) -> Iterator[str]:
    for operation in evidence.operations:
        if operation.asked.kind is Kind.GET and operation.answered.status == 404:
            register = evidence.registers.get(operation.asked.doc_id)
            if register and ABSENT not in register.versions(operation.invoked, operation.finished):
                yield f"{operation.asked.doc_id} was said not to be there (operation {operation.number})"


def _counted_back(evidence: Evidence) -> Iterator[str]:
    """Revisions rise with every acknowledged write of a document."""
    known: dict[str, int] = {}
    for operation, written in writes_of(evidence.operations):
        if operation.outcome is Outcome.OK:
            if written.revision < known.get(written.doc_id, 0):
                yield f"the revision of {written.doc_id} fell to {written.revision} (operation {operation.number})"
            known[written.doc_id] = written.revision


class Strangers(Check):
    """No document twice in an answer, none that nobody wrote, none of another namespace, none the filter excludes."""

    name = "C4 strangers"

    def violations(self, evidence: Evidence) -> Iterator[str]:
        for operation in evidence.operations:
            if len(set(operation.found)) < len(operation.found):
                yield f"a document stands twice in the answer to operation {operation.number}"
        for operation, seen in _shown(evidence):
            register = evidence.registers.get(seen.doc_id)
            where = f"(operation {operation.number})"
            if register is None:
                yield f"{seen.doc_id} was never written {where}"
            elif {register.namespace, seen.namespace} != {operation.asked.namespace}:
                yield f"{seen.doc_id} was shown in namespace {operation.asked.namespace} {where}"
            elif operation.asked.parity not in (None, seen.version % 2):
                yield f"{seen.doc_id} was shown in spite of the filter {where}"
        yield from (
            f"{doc_id} is in Postgres and was never written"
            for doc_id in evidence.final.documents.keys() - evidence.registers.keys()
        )


def _shown(evidence: Evidence) -> Iterator[tuple[Operation, Seen]]:
    for operation in evidence.operations:
        for seen in operation.answered.seen:
            yield operation, seen
