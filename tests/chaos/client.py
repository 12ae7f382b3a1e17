"""One HTTP client of the workload: sends a request, judges the form of the answer, and writes both into the journal."""

import json
import random
import time
from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import httpx
import numpy as np

from embedding_project.contracts.errors import ERROR_KINDS
from embedding_project.contracts.limits import EMBED_DEADLINE_SECONDS, SEARCH_DEADLINE_SECONDS, WAIT_DEADLINE_SECONDS
from tests.chaos.cluster import MODEL
from tests.chaos.content import CHOICES, Place, metadata_of, text_of, vector_of, wrong_content
from tests.chaos.history import ABSENT, NO_ANSWER, Answered, Asked, Journal, Kind, Operation, Seen, Written
from tests.chaos.versions import KnownVersions

LIMITS: Mapping[Kind, float] = {
    Kind.SEARCH: SEARCH_DEADLINE_SECONDS,
    Kind.EMBED: EMBED_DEADLINE_SECONDS,
    Kind.UPSERT: WAIT_DEADLINE_SECONDS,
    # These wait for Postgres only, which bounds every statement.
    Kind.DELETE: WAIT_DEADLINE_SECONDS,
    Kind.GET: WAIT_DEADLINE_SECONDS,
}
_PATIENCE_SECONDS = 45.0
"""Longer than every deadline and every freeze: what a client gives up may still happen, out of any order."""
_SCORE_TOLERANCE = 1e-4
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

    def upsert(self, namespace: str, writes: tuple[Written, ...], wait: str) -> Operation:
        documents = [
            {
                "id": written.doc_id,
                "text": text_of(Place(namespace, written.doc_id), written.text_version),
                "metadata": metadata_of(namespace, written.version, written.text_version),
            }
            for written in writes
        ]
        body = {"namespace": namespace, "model_id": MODEL, "wait": wait, "documents": documents}
        asked = Asked(kind=Kind.UPSERT, namespace=namespace, limit_seconds=LIMITS[Kind.UPSERT], writes=writes)
        return self._send(asked, "POST", "/v1/upsert", body)

    def delete(self, place: Place) -> Operation:
        written = Written(doc_id=place.doc_id, version=ABSENT, text_version=ABSENT)
        asked = Asked(kind=Kind.DELETE, namespace=place.namespace, limit_seconds=LIMITS[Kind.DELETE], writes=(written,))
        return self._send(asked, "DELETE", f"/v1/vectors/{place.doc_id}?namespace={place.namespace}")

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
        text = query_of(asked)
        body: dict[str, Any] = {"namespace": asked.namespace, "include": ["metadata", "text"], "exact": exact}
        body |= {"vector": vector_of(text, asked.model_version)} if by_vector else {"query": text}
        if asked.model_version:
            body["model_version"] = asked.model_version
        body |= {"top_k": 5 if asked.doc_id else BROWSED}
        if asked.condition:
            field, choice = asked.condition
            body["filters"] = {field: CHOICES[field][choice]}
        if token is not None:
            body["min_token"] = token
        return self._send(asked, "POST", "/v1/search", body)

    def _send(self, asked: Asked, method: str, path: str, body: Any = None, texts: Sequence[str] = ()) -> Operation:
        invoked = time.monotonic()
        number = self._journal.invoke(self.name, asked, invoked)
        try:
            response = self._http.request(method, path, json=body)
            answered = read_answer(asked, response, texts)
        except httpx.HTTPError as error:
            answered = Answered(status=NO_ANSWER, code=type(error).__name__)
        operation = Operation(
            number=number,
            client=self.name,
            invoked=invoked,
            finished=time.monotonic(),
            asked=asked,
            answered=answered,
        )
        self._journal.complete(operation)
        return operation


def query_of(asked: Asked) -> str:
    """What a search is for."""
    if not asked.doc_id:
        return "anything"
    return text_of(Place(asked.namespace, asked.doc_id), asked.text_version)


def search_for(place: Place, text_version: int, token_of: int | None = None, model_version: int = 0) -> Asked:
    """A search for a text that the document has or had; in a version of the model when one is named."""
    return Asked(
        kind=Kind.SEARCH,
        namespace=place.namespace,
        limit_seconds=LIMITS[Kind.SEARCH],
        doc_id=place.doc_id,
        text_version=text_version,
        token_of=token_of,
        model_version=model_version,
    )


def search_for_anything(namespace: str, condition: tuple[str, int] | None) -> Asked:
    """A search that every document of the namespace answers, or all that pass the filter."""
    return Asked(kind=Kind.SEARCH, namespace=namespace, limit_seconds=LIMITS[Kind.SEARCH], condition=condition)


def read_answer(asked: Asked, response: httpx.Response, texts: Sequence[str] = ()) -> Answered:
    """An answer, with what is wrong with its form or content."""
    try:
        content = response.json()
        if response.status_code != 200:
            return _refusal(response, content)
        return _READERS[asked.kind](asked, content, texts)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        return Answered(status=response.status_code, fault=f"not in the documented form: {type(error).__name__}")


def _refusal(response: httpx.Response, content: Any) -> Answered:
    code = content["error"]["code"]
    kind = ERROR_KINDS.get(code)
    fault = ""
    if kind is None or kind.status != response.status_code or not isinstance(content["error"]["message"], str):
        fault = "an error that is not of the table"
    elif "Traceback" in response.text:
        fault = "a traceback"
    return Answered(
        status=response.status_code, code=code, retry_after=response.headers.get("Retry-After", ""), fault=fault
    )


def _read_upsert(asked: Asked, content: Any, texts: Sequence[str]) -> Answered:
    results = content["results"]
    same = [result["id"] for result in results] == [written.doc_id for written in asked.writes]
    writes = tuple(
        replace(written, state=result["state"], revision=result["revision"])
        for written, result in zip(asked.writes, results, strict=True)
    )
    return Answered(
        status=200,
        writes=writes,
        token=content["token"],
        token_version=_version_key_of(content["token"]),
        fault="" if same else "results of others",
    )


def _version_key_of(token: str | None) -> int:
    """Clients must not look into a token; the checks do, to know which index a write was told to be in."""
    if token is None:
        return 0
    payload = token.partition(":")[0]
    _epoch, _layout, version_key, _seqs = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return int(version_key)


def _read_delete(asked: Asked, content: Any, texts: Sequence[str]) -> Answered:
    (written,) = asked.writes
    fault = "" if content["id"] == written.doc_id else "another document"
    return Answered(status=200, writes=(replace(written, revision=content["revision"]),), fault=fault)


def _read_get(asked: Asked, content: Any, texts: Sequence[str]) -> Answered:
    return Answered(status=200, seen=(_seen(content),), fault=wrong_content(content))


def _read_search(asked: Asked, content: Any, texts: Sequence[str]) -> Answered:
    hits = content["hits"]
    scores = [hit["score"] for hit in hits]
    faults = [fault for hit in hits if (fault := wrong_content(hit))]
    if scores != sorted(scores, reverse=True):
        faults.append("hits out of order")
    if content["partial"] != (content["shards"]["ok"] < content["shards"]["total"]):
        faults.append("`partial` contradicts `shards`")
    seen = tuple(_seen(hit) for hit in hits)
    return Answered(
        status=200,
        seen=seen,
        partial=content["partial"],
        fault=", ".join(faults),
        model_version=content["model_version"],
    )


def _read_embed(asked: Asked, content: Any, texts: Sequence[str]) -> Answered:
    version = content["model_version"]
    expected = [vector_of(text, version) for text in texts]
    difference = np.abs(np.subtract(content["embeddings"], expected)).max()
    fault = "" if difference < _SCORE_TOLERANCE else "the vector of another text, or of another version"
    return Answered(status=200, fault=fault, model_version=version)


_READERS = {
    Kind.UPSERT: _read_upsert,
    Kind.DELETE: _read_delete,
    Kind.GET: _read_get,
    Kind.SEARCH: _read_search,
    Kind.EMBED: _read_embed,
}


def _seen(document: Any) -> Seen:
    """A document without metadata of the workload is one that should not be there: a tombstone, or a stranger."""
    metadata = document["metadata"]
    return Seen(
        doc_id=document["id"],
        version=metadata.get("version", ABSENT),
        text_version=metadata.get("text", ABSENT),
        namespace=metadata.get("namespace", ""),
        revision=document.get("revision", 0),
        score=document.get("score", 0.0),
        stale=document.get("stale", False),
    )
