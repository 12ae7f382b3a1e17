"""Histories of a few operations, and the evidence around them, for the tests of the checks."""

from dataclasses import replace

from tests.chaos.checks.base import Check, Evidence
from tests.chaos.final_state import FinalState, LogState, ReplicaState
from tests.chaos.history import ABSENT, Answered, Asked, Kind, Operation, Seen, Written
from tests.chaos.registers import registers_of

LOG = (1, 2, 0)
LOG_AT_REST = LogState(name=LOG, head=9, lowest=1, highest=9, count=9, digest=77)
REPLICA_AT_REST = ReplicaState(log=LOG, replica=0, applied=9, digest=77, snapshot_seq=0, ready=True)
AT_REST = FinalState(
    documents={}, logs=(LOG_AT_REST,), replicas=(REPLICA_AT_REST,), pending=0, quarantined=0, queues={"index": 0}
)
EMPTY = Evidence(
    operations=(),
    registers={},
    faults=(),
    calms=(),
    baseline=10.0,
    processes=(),
    stores=(),
    final=AT_REST,
    replicas=1,
    upgrades={},
)
_numbers = iter(range(1, 10_000))


def evidence(*operations: Operation) -> Evidence:
    ordered = tuple(sorted(operations, key=lambda operation: operation.invoked))
    return replace(EMPTY, operations=ordered, registers=registers_of(ordered))


def found_by(check: Check, *operations: Operation) -> list[str]:
    return list(check.violations(evidence(*operations)))


def operation(asked: Asked, answered: Answered, begin: float, end: float, client: str = "client-0") -> Operation:
    return Operation(number=next(_numbers), client=client, invoked=begin, finished=end, asked=asked, answered=answered)


def upsert(
    doc_id: str,
    version: int,
    begin: float,
    end: float,
    *,
    status: int = 200,
    state: str = "indexed",
    revision: int = 0,
    token: str | None = None,
) -> Operation:
    """Its revision is its version when none is given: the writes of these histories come in their order."""
    written = Written(doc_id=doc_id, version=version, text_version=version)
    done = (replace(written, state=state, revision=revision or version),) if status == 200 else ()
    asked = Asked(kind=Kind.UPSERT, namespace="red", limit_seconds=10, writes=(written,))
    return operation(asked, Answered(status=status, writes=done, retry_after="1", token=token), begin, end)


def delete(doc_id: str, begin: float, end: float, *, status: int = 200, revision: int = 99) -> Operation:
    written = Written(doc_id=doc_id, version=ABSENT, text_version=ABSENT)
    done = (replace(written, revision=revision),) if status == 200 else ()
    asked = Asked(kind=Kind.DELETE, namespace="red", limit_seconds=10, writes=(written,))
    return operation(asked, Answered(status=status, writes=done, retry_after="1"), begin, end)


def search(
    begin: float,
    end: float,
    *seen: Seen,
    doc_id: str = "",
    text_version: int = 0,
    partial: bool = False,
    condition: tuple[str, int] | None = None,
    token_of: int | None = None,
    client: str = "client-0",
    mode: str = "",
) -> Operation:
    asked = Asked(
        kind=Kind.SEARCH,
        namespace="red",
        limit_seconds=2,
        doc_id=doc_id,
        text_version=text_version,
        condition=condition,
        token_of=token_of,
        mode=mode,
    )
    return operation(asked, Answered(status=200, seen=seen, partial=partial), begin, end, client)


def get(begin: float, end: float, doc_id: str, *seen: Seen, client: str = "client-0") -> Operation:
    asked = Asked(kind=Kind.GET, namespace="red", limit_seconds=10, doc_id=doc_id)
    answered = Answered(status=200, seen=seen) if seen else Answered(status=404, code="unknown_document")
    return operation(asked, answered, begin, end, client)


def seen(
    doc_id: str,
    version: int,
    *,
    text_version: int = 0,
    namespace: str = "red",
    stale: bool = False,
    revision: int = 0,
    mark: int = 0,
) -> Seen:
    return Seen(
        doc_id=doc_id,
        version=version,
        text_version=text_version or version,
        namespace=namespace,
        stale=stale,
        revision=revision,
        mark=mark,
    )


def sweep(begin: float, end: float, *, condition: tuple[str, int] = ("parity", 1), status: int = 200) -> Operation:
    asked = Asked(kind=Kind.SWEEP, namespace="red", limit_seconds=15, condition=condition)
    return operation(asked, Answered(status=status, retry_after="1"), begin, end)


def mark(number: int, begin: float, end: float, *, condition: tuple[str, int] = ("parity", 1)) -> Operation:
    asked = Asked(kind=Kind.MARK, namespace="red", limit_seconds=15, condition=condition, mark=number)
    return operation(asked, Answered(status=200), begin, end)


def drop(begin: float, end: float, *, status: int = 200) -> Operation:
    asked = Asked(kind=Kind.DROP, namespace="red", limit_seconds=15)
    return operation(asked, Answered(status=status, retry_after="1"), begin, end)


def listing(begin: float, end: float, *seen: Seen, condition: tuple[str, int] | None = None) -> Operation:
    asked = Asked(kind=Kind.LIST, namespace="red", limit_seconds=30, condition=condition)
    return operation(asked, Answered(status=200, seen=seen), begin, end)


def claim(
    doc_id: str, version: int, begin: float, end: float, *, at: int, status: int = 200, revision: int = 0
) -> Operation:
    """A write on the condition that the document is at a revision; 409 is a conflict."""
    done = upsert(doc_id, version, begin, end, status=status, revision=revision)
    code = "revision_conflict" if status == 409 else ""
    return replace(done, asked=replace(done.asked, if_revision=at), answered=replace(done.answered, code=code))
