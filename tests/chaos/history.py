"""What the clients did and what they were answered: kept in memory for the checks, and as JSON lines for people.

An operation is `ok` when it was acknowledged, `fail` when it certainly changed nothing, `info` when nobody can know.
All times are seconds of the monotonic clock.
"""

import itertools
import json
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.chaos.content import Place

ABSENT = 0
"""The version of a document that is deleted, or was never there."""
NO_ANSWER = 0
"""The status of a request whose connection broke, or whose client gave up."""
UNKNOWN_NAMESPACE = "unknown_namespace"
"""The answer where no document was ever written since the last drop; see `checks.order` for when it is right."""


class Kind(StrEnum):
    UPSERT = "upsert"
    DELETE = "delete"
    SEARCH = "search"
    GET = "get"
    EMBED = "embed"
    SWEEP = "sweep"
    """A delete by filter."""
    MARK = "mark"
    """An update by filter."""
    LIST = "list"
    """All pages of a listing, from the first request to the last answer."""
    DROP = "drop"
    """Of a namespace."""


class Outcome(StrEnum):
    OK = "ok"
    FAIL = "fail"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One document of an upsert or delete."""

    doc_id: str
    version: int
    """Number of the write, which no other write of the document has; ABSENT for a delete."""
    text_version: int
    """Which text it was given; a version may leave the text as it was."""
    state: str = ""
    """pending, indexed, searchable, quarantined or deleted, as it was answered."""
    revision: int = 0
    """As it was answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One document in an answer."""

    doc_id: str
    version: int
    text_version: int
    namespace: str
    revision: int = 0
    """As it was answered; 0 where answers have none."""
    score: float = 0.0
    stale: bool = False
    mark: int = 0
    """Of the last update by filter; 0 where there was none since the document was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as it was sent."""

    kind: Kind
    namespace: str
    limit_seconds: float
    """How long the service may take by its own promise."""
    writes: tuple[Written, ...] = ()
    doc_id: str = ""
    """The document that was read, or whose text or vector was searched for; empty for a search for anything."""
    text_version: int = 0
    """The text of that document that was searched for."""
    condition: tuple[str, int] | None = None
    """A filter: field, and number of the value that it must have, see `content.CHOICES`."""
    token_of: int | None = None
    """Number of the upsert whose token the search carried."""
    model_version: int = 0
    """The version of the model that was asked for; 0 for none."""
    mode: str = ""
    """Of a search: text, hybrid, or empty for one by meaning."""
    if_revision: int | None = None
    """The revision that the document must have to be written."""
    mark: int = 0
    """What an update by filter writes into the documents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What came back."""

    status: int
    code: str = ""
    """Error code of the body; empty on success."""
    retry_after: str = ""
    fault: str = ""
    """What is wrong with the form or content of the answer itself; empty when it is sound."""
    partial: bool = False
    unfinished: bool = False
    """Whether a change by filter has not come to its end."""
    seen: tuple[Seen, ...] = ()
    writes: tuple[Written, ...] = ()
    """The writes of the request with what was answered to each."""
    token: str | None = None
    token_version: int = 0
    """Key of the model version that the token, and the states of the writes, are about."""
    model_version: int = 0
    """As it was answered; 0 where answers have none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    number: int
    client: str
    invoked: float
    finished: float
    asked: Asked
    answered: Answered

    @property
    def outcome(self) -> Outcome:
        if self.answered.status == 200:
            return Outcome.INFO if self.answered.unfinished else Outcome.OK
        refused = self.answered.status == 429 or 400 <= self.answered.status < 500
        return Outcome.FAIL if refused else Outcome.INFO

    @property
    def served(self) -> bool:
        """Whether the answer is one that a sound service gives."""
        if self.answered.status == 200 or (self.asked.kind is Kind.GET and self.answered.status == 404):
            return True
        conflict = self.answered.code == "revision_conflict" and self.asked.if_revision is not None
        return conflict or self.answered.code == UNKNOWN_NAMESPACE

    @property
    def place(self) -> Place:
        """Of the document that was read or searched for."""
        return Place(self.asked.namespace, self.asked.doc_id)

    @property
    def found(self) -> tuple[Place, ...]:
        return tuple(map(self.place_of, self.answered.seen))

    def place_of(self, document: Written | Seen) -> Place:
        """Where a document of this request or answer stands: in the namespace that was asked."""
        return Place(self.asked.namespace, document.doc_id)


class Journal:
    """The history of a run, written by many threads. A line is written before a request is sent, and one after."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8")
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._operations: list[Operation] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def invoke(self, client: str, asked: Asked, now: float) -> int:
        """Note that a request is about to be sent; gives the number of the operation."""
        number = next(self._numbers)
        self._line({"event": "invoke", "number": number, "client": client, "at": now, **_plain(asked)})
        return number

    def complete(self, operation: Operation) -> None:
        with self._lock:
            self._operations.append(operation)
        self._line(
            {
                "event": operation.outcome,
                "number": operation.number,
                "at": operation.finished,
                **_plain(operation.answered),
            }
        )

    def operations(self) -> tuple[Operation, ...]:
        """Everything completed so far, in the order in which it was invoked."""
        with self._lock:
            return tuple(sorted(self._operations, key=lambda operation: operation.invoked))

    def rate(self, begin: float, end: float) -> float:
        """Requests a second that came back between the times and were served; a batch is one."""
        served = set()
        with self._lock:
            for operation in reversed(self._operations):
                if operation.finished < begin:
                    break
                if operation.served and operation.finished <= end:
                    served.add((operation.client, operation.invoked))
        return len(served) / (end - begin)

    def _line(self, event: dict[str, Any]) -> None:
        line = json.dumps(event, separators=(",", ":"))
        with self._lock:
            self._file.write(f"{line}\n")


def _plain(value: Asked | Answered) -> dict[str, Any]:
    """Without what says nothing, so that a history can be read."""
    return {name: content for name, content in asdict(value).items() if content not in ("", None, (), False)}


def writes_of(operations: tuple[Operation, ...]) -> Iterator[tuple[Operation, Written]]:
    """Every document that was to be changed, with what was answered to it where there was an answer."""
    for operation in operations:
        for written in operation.answered.writes or operation.asked.writes:
            yield operation, written
