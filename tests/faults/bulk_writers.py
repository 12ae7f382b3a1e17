"""Clients that write, change and delete the ids of a bulk job meanwhile, and what documents may be by their history."""

import itertools
import random
import threading
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import httpx
import numpy as np

from tests.chaos.content import Place
from tests.chaos.history import ABSENT, Answered, Asked, Kind, Operation, Seen, Written
from tests.chaos.registers import Register, registers_of
from tests.conftest import EXTERNAL_DIMENSION

OF_THE_FILE = 1
"""The version that a document has by the job. Clients write later ones."""
_PATIENCE_SECONDS = 30.0
_REST_SECONDS = 0.03
_numbers = itertools.count(1)


def row(doc_id: str, version: int, text_version: int) -> dict[str, Any]:
    """A document as it is sent, or stands in a file."""
    numbers = np.random.default_rng(zlib.crc32(f"{doc_id} {text_version}".encode()))
    vector = numbers.standard_normal(EXTERNAL_DIMENSION).astype(np.float32).tolist()
    return {"id": doc_id, "vector": vector, "metadata": {"name": doc_id, "version": version}}


class BulkWriters:
    """Each writes ids of its own, one request at a time, and looks at one now and then, until `stop`."""

    def __init__(self, url: str, namespace: str, model_id: str, ids: Sequence[str], writers: int = 2) -> None:
        self._url, self._namespace, self._model_id = url, namespace, model_id
        self._operations: list[Operation] = []
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(ids[one::writers], one)) for one in range(writers)]
        for thread in self._threads:
            thread.start()

    def acknowledged(self) -> int:
        """How many operations succeeded so far."""
        with self._lock:
            return sum(one.answered.status == 200 for one in self._operations)

    def stop(self) -> tuple[Operation, ...]:
        self._stopped.set()
        for thread in self._threads:
            thread.join()
        return tuple(sorted(self._operations, key=lambda one: one.invoked))

    def _run(self, ids: Sequence[str], number: int) -> None:
        chance, versions, texts = random.Random(number), dict.fromkeys(ids, OF_THE_FILE), dict.fromkeys(ids, 1)
        with httpx.Client(base_url=self._url, timeout=_PATIENCE_SECONDS) as client:
            while not self._stopped.wait(_REST_SECONDS):
                doc_id, what = chance.choice(ids), chance.random()
                if what < 0.2:
                    self._look(client, doc_id)
                elif what < 0.4:
                    self._delete(client, doc_id)
                else:
                    versions[doc_id] += 1
                    # Else the vector stays, so that it may be a change of the metadata alone.
                    texts[doc_id] = versions[doc_id] if what < 0.7 else texts[doc_id]
                    self._upsert(client, Written(doc_id=doc_id, version=versions[doc_id], text_version=texts[doc_id]))

    def _upsert(self, client: httpx.Client, written: Written) -> None:
        body = {
            "namespace": self._namespace,
            "model_id": self._model_id,
            "documents": [row(written.doc_id, written.version, written.text_version)],
        }
        self._send(client, Kind.UPSERT, written, "POST", "/v1/upsert", json=body)

    def _delete(self, client: httpx.Client, doc_id: str) -> None:
        written = Written(doc_id=doc_id, version=ABSENT, text_version=ABSENT)
        parameters = {"namespace": self._namespace}
        self._send(client, Kind.DELETE, written, "DELETE", f"/v1/vectors/{doc_id}", params=parameters)

    def _look(self, client: httpx.Client, doc_id: str) -> None:
        began = time.monotonic()
        answer = found(client, self._namespace, doc_id)
        if answer is not None:
            self._keep(_looked(self._namespace, doc_id, began, answer))

    def _send(
        self, client: httpx.Client, kind: Kind, written: Written, method: str, path: str, **more: Mapping[str, Any]
    ) -> None:
        began, status, written_as = time.monotonic(), 0, written
        try:
            answer = client.request(method, path, **more)  # type: ignore[arg-type]
            status, body = answer.status_code, answer.json()
            if status == 200:
                told = body["results"][0] if kind is Kind.UPSERT else body
                if kind is Kind.DELETE and not told["deleted"]:
                    return
                written_as = Written(
                    doc_id=written.doc_id,
                    version=written.version,
                    text_version=written.text_version,
                    revision=told["revision"],
                )
        except httpx.HTTPError:
            pass
        asked = Asked(kind=kind, namespace=self._namespace, limit_seconds=_PATIENCE_SECONDS, writes=(written,))
        answered = Answered(status=status, writes=(written_as,))
        self._keep(_operation(asked, answered, began))

    def _keep(self, operation: Operation) -> None:
        with self._lock:
            self._operations.append(operation)


def found(client: httpx.Client, namespace: str, doc_id: str) -> list[int] | None:
    """The versions of the document that an exact search shows; None where it was not answered whole."""
    body = {
        "namespace": namespace,
        "vector": [1.0] * EXTERNAL_DIMENSION,
        "filters": {"name": doc_id},
        "exact": True,
        "include": ["metadata"],
    }
    try:
        answer = client.post("/v1/search", json=body)
    except httpx.HTTPError:
        return None
    if answer.status_code != 200 or answer.json()["partial"]:
        return None
    return [hit["metadata"]["version"] for hit in answer.json()["hits"]]


def _looked(namespace: str, doc_id: str, began: float, versions: Sequence[int]) -> Operation:
    seen = tuple(Seen(doc_id=doc_id, version=one, text_version=0, namespace=namespace) for one in versions)
    asked = Asked(kind=Kind.SEARCH, namespace=namespace, limit_seconds=_PATIENCE_SECONDS, doc_id=doc_id)
    return _operation(asked, Answered(status=200, seen=seen), began)


def _operation(asked: Asked, answered: Answered, began: float) -> Operation:
    number, ended = next(_numbers), time.monotonic()
    return Operation(number=number, client="bulk", invoked=began, finished=ended, asked=asked, answered=answered)


def violations(operations: tuple[Operation, ...], shown: Mapping[Place, Sequence[int]], at: float) -> Iterator[str]:
    """What the history does not allow: versions that searches showed meanwhile, or that are `shown` at the end."""
    registers = registers_of(operations)
    for operation in operations:
        # While the job is under way, what nobody else wrote may be there or not.
        possible = _possible(
            registers.get(operation.place), operation.invoked, operation.finished, {ABSENT, OF_THE_FILE}
        )
        for seen in operation.answered.seen:
            if seen.version not in possible:
                yield f"{operation.place} was shown as {seen.version}, possible were {sorted(possible)}"
    for place, versions in shown.items():
        possible = _possible(registers.get(place), at, at, {OF_THE_FILE})
        if len(versions) > 1 or next(iter(versions), ABSENT) not in possible:
            yield f"{place} is {list(versions)} at the end, possible are {sorted(possible)}"


def _possible(register: Register | None, begin: float, end: float, by_the_job: set[int]) -> set[int]:
    attempts = register.possible(begin, end) if register else [None]
    written = {attempt.written.version for attempt in attempts if attempt}
    return written | (by_the_job if None in attempts else set())
