"""One HTTP client of the workload: sends a request, and writes it into the journal with its answer."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import httpx

from embedding_project.contracts.limits import EMBED_DEADLINE_SECONDS, SEARCH_DEADLINE_SECONDS, WAIT_DEADLINE_SECONDS
from tests.chaos.answers import next_page, read_answer, read_batch
from tests.chaos.cluster import MODEL
from tests.chaos.content import CHOICES, MARK, Place, metadata_of, text_of, vector_of, word_of
from tests.chaos.history import ABSENT, NO_ANSWER, Answered, Asked, Journal, Kind, Operation, Written
from tests.chaos.versions import KnownVersions

REQUEST_SECONDS = 5.0
"""For which one change by filter may go on."""
LIMITS: Mapping[Kind, float] = {
    Kind.SEARCH: SEARCH_DEADLINE_SECONDS,
    Kind.EMBED: EMBED_DEADLINE_SECONDS,
    Kind.UPSERT: WAIT_DEADLINE_SECONDS,
    # These wait for Postgres only, which bounds every statement.
    Kind.DELETE: WAIT_DEADLINE_SECONDS,
    Kind.GET: WAIT_DEADLINE_SECONDS,
    # These go through documents for some seconds, page after page, or hold a model that others write to.
    Kind.SWEEP: WAIT_DEADLINE_SECONDS + REQUEST_SECONDS,
    Kind.MARK: WAIT_DEADLINE_SECONDS + REQUEST_SECONDS,
    Kind.LIST: 3 * WAIT_DEADLINE_SECONDS,
    Kind.DROP: WAIT_DEADLINE_SECONDS + REQUEST_SECONDS,
}
_PATIENCE_SECONDS = 45.0
"""Longer than every deadline and every freeze: what a client gives up may still happen, out of any order."""
_MOST_PAGES = 200
BROWSED = 100
"""Hits of a search for anything: more than a namespace has documents, so that all that pass must come."""


class Client:
    def __init__(self, name: str, url: str, journal: Journal, known: KnownVersions, chance: random.Random) -> None:
        self.name = name
        self._known = known
        self._random = chance
        self._journal = journal
        self._http = httpx.Client(base_url=url, timeout=_PATIENCE_SECONDS)

    def close(self) -> None:
        self._http.close()

    def make_namespace(self, namespace: str) -> None:
        """One that keeps words, before anything else is done."""
        settings = {"model_id": MODEL, "text_search": "simple"}
        self._http.put(f"/v1/namespaces/{namespace}", json=settings).raise_for_status()

    def upsert(
        self, namespace: str, writes: tuple[Written, ...], wait: str, if_revision: int | None = None
    ) -> Operation:
        condition = {} if if_revision is None else {"if_revision": if_revision}
        documents = [
            {
                "id": written.doc_id,
                "text": text_of(Place(namespace, written.doc_id), written.text_version),
                "metadata": metadata_of(namespace, written.version, written.text_version),
                **condition,
            }
            for written in writes
        ]
        body = {"namespace": namespace, "model_id": MODEL, "wait": wait, "documents": documents}
        asked = Asked(
            kind=Kind.UPSERT,
            namespace=namespace,
            limit_seconds=LIMITS[Kind.UPSERT],
            writes=writes,
            if_revision=if_revision,
        )
        return self._send(asked, "POST", "/v1/upsert", body)

    def delete(self, place: Place) -> Operation:
        written = Written(doc_id=place.doc_id, version=ABSENT, text_version=ABSENT)
        asked = Asked(kind=Kind.DELETE, namespace=place.namespace, limit_seconds=LIMITS[Kind.DELETE], writes=(written,))
        return self._send(asked, "DELETE", f"/v1/vectors/{place.doc_id}?namespace={place.namespace}")

    def sweep(self, namespace: str, condition: tuple[str, int]) -> Operation:
        """Delete what passes."""
        asked = Asked(kind=Kind.SWEEP, namespace=namespace, limit_seconds=LIMITS[Kind.SWEEP], condition=condition)
        body = {"namespace": namespace, "filters": _filter(condition)}
        return self._send(asked, "POST", "/v1/documents/delete", body)

    def mark(self, namespace: str, condition: tuple[str, int], mark: int, wait: str) -> Operation:
        """Write a mark into what passes."""
        asked = Asked(
            kind=Kind.MARK, namespace=namespace, limit_seconds=LIMITS[Kind.MARK], condition=condition, mark=mark
        )
        body = {"namespace": namespace, "filters": _filter(condition), "set": {MARK: mark}, "wait": wait}
        return self._send(asked, "POST", "/v1/documents/update", body)

    def drop(self, namespace: str) -> Operation:
        asked = Asked(kind=Kind.DROP, namespace=namespace, limit_seconds=LIMITS[Kind.DROP])
        return self._send(asked, "DELETE", f"/v1/namespaces/{namespace}")

    def list_all(self, namespace: str, condition: tuple[str, int] | None, page: int, *, backwards: bool) -> Operation:
        """All pages of a listing, or those up to the first that was refused."""
        asked = Asked(kind=Kind.LIST, namespace=namespace, limit_seconds=LIMITS[Kind.LIST], condition=condition)
        body: dict[str, Any] = {"namespace": namespace, "limit": page, "order": "-id" if backwards else "id"}
        if condition:
            body["filters"] = _filter(condition)

        def walk() -> list[Answered]:
            whole = Answered(status=200)
            for _ in range(_MOST_PAGES):
                response = self._http.post("/v1/documents/query", json=body)
                answered = read_answer(asked, response)
                if answered.status != 200 or answered.fault:
                    return [answered]
                whole = replace(whole, seen=whole.seen + answered.seen)
                body["cursor"] = next_page(response)
                if body["cursor"] is None:
                    return [whole]
            return [replace(whole, fault="a listing without end")]

        return self._noted([asked], walk)[0]

    def get(self, place: Place) -> Operation:
        asked = Asked(kind=Kind.GET, namespace=place.namespace, limit_seconds=LIMITS[Kind.GET], doc_id=place.doc_id)
        return self._send(asked, "GET", f"/v1/vectors/{place.doc_id}?namespace={place.namespace}")

    def embed(self, texts: Sequence[str]) -> Operation:
        asked = Asked(kind=Kind.EMBED, namespace="", limit_seconds=LIMITS[Kind.EMBED])
        return self._send(asked, "POST", "/v1/embed", {"inputs": texts, "model_id": MODEL}, texts)

    def search(
        self, asked: Asked, *, by_vector: bool = False, exact: bool = False, token: str | None = None
    ) -> Operation:
        """For the text of a document when `asked` names one, else for anything. A vector is of the version that is
        asked for; where none is, of one that the client knows."""
        if not asked.model_version and by_vector:
            version = self._known.active if token else self._known.any(self._random)
            asked = replace(asked, model_version=version)
        body = _search_body(asked, by_vector=by_vector, exact=exact)
        if token is not None:
            body["min_token"] = token
        return self._send(asked, "POST", "/v1/search", body)

    def search_together(self, searches: Sequence[Asked]) -> list[Operation]:
        """As one batch; each is an operation of its own."""
        body = {"searches": [_search_body(asked) for asked in searches]}

        def ask() -> list[Answered]:
            return read_batch(searches, self._http.post("/v1/search/batch", json=body))

        return self._noted(searches, ask)

    def _send(self, asked: Asked, method: str, path: str, body: Any = None, texts: Sequence[str] = ()) -> Operation:
        def ask() -> list[Answered]:
            return [read_answer(asked, self._http.request(method, path, json=body), texts)]

        return self._noted([asked], ask)[0]

    def _noted(self, asked: Sequence[Asked], ask: Callable[[], list[Answered]]) -> list[Operation]:
        """Ask, and write down before and after what was asked and answered."""
        invoked = time.monotonic()
        numbers = [self._journal.invoke(self.name, one, invoked) for one in asked]
        try:
            answers = ask()
        except httpx.HTTPError as error:
            answers = [Answered(status=NO_ANSWER, code=type(error).__name__)] * len(asked)
        finished = time.monotonic()
        operations = [
            Operation(number=number, client=self.name, invoked=invoked, finished=finished, asked=one, answered=answered)
            for number, one, answered in zip(numbers, asked, answers, strict=True)
        ]
        for operation in operations:
            self._journal.complete(operation)
        return operations


def _search_body(asked: Asked, *, by_vector: bool = False, exact: bool = False) -> dict[str, Any]:
    text = query_of(asked)
    body: dict[str, Any] = {"namespace": asked.namespace, "include": ["metadata", "text"]}
    body |= {"vector": vector_of(text, asked.model_version)} if by_vector else {"query": text}
    if asked.mode:
        word = word_of(Place(asked.namespace, asked.doc_id), asked.text_version)
        body |= {"mode": asked.mode, "text_query": {"words": word, "match": "all"}}
    elif exact:
        body["exact"] = True
    if asked.mode == "text":
        del body["query"]
    if asked.model_version:
        body["model_version"] = asked.model_version
    body["top_k"] = 5 if asked.doc_id else BROWSED
    if asked.condition:
        body["filters"] = _filter(asked.condition)
    return body


def _filter(condition: tuple[str, int]) -> dict[str, Any]:
    field, choice = condition
    return {field: CHOICES[field][choice]}


def query_of(asked: Asked) -> str:
    """What a search is for."""
    if not asked.doc_id:
        return "anything"
    return text_of(Place(asked.namespace, asked.doc_id), asked.text_version)


def search_for(
    place: Place, text_version: int, token_of: int | None = None, model_version: int = 0, mode: str = ""
) -> Asked:
    """A search for a text that the document has or had; in a version of the model when one is named."""
    return Asked(
        kind=Kind.SEARCH,
        namespace=place.namespace,
        limit_seconds=LIMITS[Kind.SEARCH],
        doc_id=place.doc_id,
        text_version=text_version,
        token_of=token_of,
        model_version=model_version,
        mode=mode,
    )


def search_for_anything(namespace: str, condition: tuple[str, int] | None) -> Asked:
    """A search that every document of the namespace answers, or all that pass the filter."""
    return Asked(kind=Kind.SEARCH, namespace=namespace, limit_seconds=LIMITS[Kind.SEARCH], condition=condition)
