"""Whether a run says anything at all: one in which little happened is no success."""

from collections.abc import Iterator

from tests.chaos.checks.base import Check, Evidence
from tests.chaos.history import Kind, Outcome

_BEFORE_SECONDS = 20.0
_LEAST = {Kind.UPSERT: 50, Kind.DELETE: 10, Kind.SEARCH: 50, Kind.GET: 10, Kind.EMBED: 10}
_LEAST |= {Kind.SWEEP: 3, Kind.MARK: 3, Kind.LIST: 10, Kind.DROP: 1}


class Worth(Check):
    """Enough of every kind was acknowledged, writes before every fault too, and searches found something."""

    name = "void"

    def violations(self, evidence: Evidence) -> Iterator[str]:
        done = [operation for operation in evidence.operations if operation.outcome is Outcome.OK]
        for kind, least in _LEAST.items():
            count = sum(operation.asked.kind is kind for operation in done)
            if count < least:
                yield f"only {count} of {kind} were acknowledged, {least} are needed"
        if not any(operation.found for operation in done if operation.asked.kind is Kind.SEARCH):
            yield "no search found anything"
        writes = [operation.finished for operation in done if operation.asked.kind is Kind.UPSERT]
        for fault in evidence.faults:
            if not any(fault.injected - _BEFORE_SECONDS <= at <= fault.injected for at in writes):
                yield f"no write was acknowledged in the {_BEFORE_SECONDS:.0f} s before {fault.kind} {fault.target}"
