"""C5 honesty, C7 liveness, C9 errors: what an answer claims, how long it took, and how a refusal looks."""

from collections.abc import Iterator

from tests.chaos.checks.base import Check, Evidence
from tests.chaos.conductor import RECOVERED_SHARE, RECOVERY_SECONDS
from tests.chaos.content import Place, passes
from tests.chaos.faults.base import Part
from tests.chaos.final_state import AUDITOR
from tests.chaos.history import ABSENT, NO_ANSWER, Kind, Operation, Outcome
from tests.chaos.registers import Attempt

GRACE_SECONDS = 1.5
"""On top of a deadline: machines are busy while others start again."""
_SEARCHABLE = "searchable"
_NEEDED = {"hybrid": tuple(Part)}
"""Mode of a search -> what it needs, where it is more than the api and the nodes: its text has to be embedded."""


class Honesty(Check):
    """An answer that is not partial has what could be searched for certain; a partial one has a fault to explain it."""

    name = "C5 honesty"

    def violations(self, evidence: Evidence) -> Iterator[str]:
        numbered = {operation.number: operation for operation in evidence.operations}
        for operation in evidence.operations:
            if operation.asked.kind is not Kind.SEARCH or operation.outcome is not Outcome.OK:
                continue
            if operation.answered.partial:
                if not evidence.explained(operation, *_NEEDED.get(operation.asked.mode, (Part.API, Part.SEARCH))):
                    yield f"operation {operation.number} was answered in part without a reason"
                continue
            why = " with its token" if operation.asked.token_of else ""
            for place in _must_find(operation, numbered, evidence) - set(operation.found):
                yield f"{place} was searchable and not found{why} (operation {operation.number})"


def _must_find(operation: Operation, numbered: dict[int, Operation], evidence: Evidence) -> set[Place]:
    """The documents that were certainly searchable in the version that answered, of those it searched for."""
    if not operation.asked.doc_id:
        own = (place for place in evidence.registers if place.namespace == operation.asked.namespace)
        return {place for place in own if _certainly_passes(place, operation, evidence)}
    current = _undisturbed(operation.place, operation, evidence)
    if current is None or current.written.version == ABSENT:
        return set()
    if operation.asked.mode and current.written.text_version == operation.asked.text_version:
        # Words are written with the document: what is acknowledged is found, in whatever state it is.
        return {operation.place}
    if not _same_version(current, operation, evidence):
        return set()
    if current.written.text_version != operation.asked.text_version:
        return set()
    by_token = operation.asked.token_of is not None and numbered.get(operation.asked.token_of) is current.operation
    return {operation.place} if by_token or current.written.state == _SEARCHABLE else set()


def _certainly_passes(place: Place, operation: Operation, evidence: Evidence) -> bool:
    """Whether a search for anything must show the document: its answer has room for the whole namespace."""
    current = _undisturbed(place, operation, evidence)
    if current is None or current.written.state != _SEARCHABLE or not _same_version(current, operation, evidence):
        return False
    return operation.asked.condition is None or passes(operation.asked.condition, current.written.version)


def _same_version(current: Attempt, operation: Operation, evidence: Evidence) -> bool:
    """Whether what the write was told is about the version that answered: another one may still embed its text."""
    answered = evidence.final.version_keys.get(operation.answered.model_version, 0)
    return current.operation.answered.token_version == answered


def _undisturbed(place: Place, operation: Operation, evidence: Evidence) -> Attempt | None:
    register = evidence.registers.get(place)
    return register.undisturbed(operation.invoked, operation.finished) if register else None


class Liveness(Check):
    """No request takes longer than its deadline and a grace, and the service is soon back at its pace."""

    name = "C7 liveness"

    def violations(self, evidence: Evidence) -> Iterator[str]:
        frozen = [fault for fault in evidence.faults if fault.kind == "freeze" and fault.target == "api"]
        for operation in evidence.operations:
            seconds = operation.finished - operation.invoked
            excused = any(fault.near(operation.invoked, operation.finished, 0) for fault in frozen)
            if seconds > operation.asked.limit_seconds + GRACE_SECONDS and not excused:
                kind, number = operation.asked.kind, operation.number
                yield f"a {kind} took {seconds:.1f} s (operation {number}, status {operation.answered.status})"
        for calm in evidence.calms:
            if calm.rate < RECOVERED_SHARE * evidence.baseline:
                rates = f"{calm.rate:.1f} operations a second, {evidence.baseline:.1f} before"
                yield f"not recovered {RECOVERY_SECONDS:.0f} s after the faults until {calm.began:.1f}: {rates}"


class Errors(Check):
    """Only answers that are documented for a sound request, in their documented form."""

    name = "C9 errors"

    def violations(self, evidence: Evidence) -> Iterator[str]:
        for operation in evidence.operations:
            fault = _wrong_answer(operation, evidence)
            if fault:
                kind, status, code = operation.asked.kind, operation.answered.status, operation.answered.code
                yield f"{kind} was answered {status} {code}: {fault} (operation {operation.number})"


def _wrong_answer(operation: Operation, evidence: Evidence) -> str:
    answered = operation.answered
    if answered.fault:
        return answered.fault
    if answered.status == NO_ANSWER:
        explained = operation.client != AUDITOR and evidence.explained(operation, Part.API)
        return "" if explained else "nothing was done to the api"
    if answered.status in (429, 503):
        valid = answered.retry_after.isdigit() and int(answered.retry_after) >= 1
        return "" if valid else f"Retry-After is {answered.retry_after!r}"
    if operation.served or _version_moved(operation):
        return ""
    return "not an answer to a sound request"


def _version_moved(operation: Operation) -> bool:
    """Whether it named a version, itself or by its token, that does not answer any more or not yet."""
    asked, code = operation.asked, operation.answered.code
    named = code == "model_not_active" and asked.model_version and operation.client != AUDITOR
    return bool(named) or (code == "token_expired" and asked.token_of is not None)
