"""C1 lost, C2 resurrected, C4 strangers: which documents answers show, against what was written."""

from collections.abc import Iterator

from tests.chaos.checks.base import Check, Evidence, shown
from tests.chaos.content import passes
from tests.chaos.final_state import AUDITOR
from tests.chaos.history import ABSENT, Kind, Operation


class Lost(Check):
    """What was acknowledged last is there in the end, and found by its own text."""

    name = "C1 lost"

    def violations(self, evidence: Evidence) -> Iterator[str]:
        own = (operation for operation in evidence.operations if operation.client == AUDITOR)
        audited = [operation for operation in own if operation.asked.kind is not Kind.LIST]
        read = {operation.place for operation in audited if operation.asked.kind is Kind.GET}
        yield from (f"{place} was never read in the end" for place in evidence.registers.keys() - read)
        for operation in audited:
            fault = _unread(operation) or _missing(operation, evidence)
            if fault:
                yield f"{operation.place} {fault} (operation {operation.number})"


def _unread(operation: Operation) -> str:
    return "" if operation.served else f"could not be read at rest: {operation.answered.status}"


def _missing(operation: Operation, evidence: Evidence) -> str:
    asked, answered = operation.asked, operation.answered
    if asked.kind is Kind.GET:
        possible = evidence.registers[operation.place].versions(operation.invoked, operation.finished)
        gone = answered.status == 404 and ABSENT not in possible
        return f"is gone; it should be one of {sorted(possible)}" if gone else ""
    found = any(seen.doc_id == asked.doc_id and not seen.stale for seen in answered.seen)
    return "" if found and not answered.partial else f"is not found by its text {asked.text_version}"


class Resurrected(Check):
    """An answer never shows a document whose delete was acknowledged before the request, and no write since."""

    name = "C2 resurrected"

    def violations(self, evidence: Evidence) -> Iterator[str]:
        for operation, seen in shown(evidence):
            place = operation.place_of(seen)
            register = evidence.registers.get(place)
            if register and register.versions(operation.invoked, operation.finished) == {ABSENT}:
                yield f"{place} was shown after its delete (operation {operation.number})"


class Strangers(Check):
    """No document twice in an answer, none that nobody wrote, none of another namespace, none the filter excludes."""

    name = "C4 strangers"

    def violations(self, evidence: Evidence) -> Iterator[str]:
        for operation in evidence.operations:
            if len(set(operation.found)) < len(operation.found):
                yield f"a document stands twice in the answer to operation {operation.number}"
        for operation, seen in shown(evidence):
            place, where = operation.place_of(seen), f"(operation {operation.number})"
            if seen.namespace != operation.asked.namespace:
                yield f"{seen.doc_id} of {seen.namespace!r} was shown in {operation.asked.namespace} {where}"
            elif place not in evidence.registers:
                yield f"{place} was never written {where}"
            elif operation.asked.condition and not passes(operation.asked.condition, seen.version):
                yield f"{place} was shown in spite of the filter {where}"
        yield from (
            f"{place} is in Postgres and was never written"
            for place in evidence.final.documents.keys() - evidence.registers.keys()
        )
