"""One HTTP client of the workload: sends a request, judges the form of the answer, and writes both into the journal."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import httpx
import numpy as np

from embedding_project.contracts.errors import ERROR_KINDS
from embedding_project.contracts.limits import EMBED_DEADLINE_SECONDS, SEARCH_DEADLINE_SECONDS, WAIT_DEADLINE_SECONDS
from tests.chaos.cluster import DIMENSION, MAX_TOKENS, MODEL
from tests.chaos.history import ABSENT, NO_ANSWER, Answered, Asked, Journal, Kind, Operation, Seen, Written
from workers.encoders.hashing import HashingEncoder

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
_encoder = HashingEncoder(DIMENSION, MAX_TOKENS)


def text_of(doc_id: str, text_version: int) -> str:
    """A text that no other document and no other version has."""
    return f"what {doc_id} says in its version {text_version}"


def vector_of(text: str) -> list[float]:
    """The unit vector that the model of the run must give a text."""
    vector: list[float] = _encoder.encode(_encoder.tokenize([text]))[0].tolist()
    return vector


def metadata_of(namespace: str, written: Written) -> dict[str, Any]:
    return {
        "namespace": namespace,
        "version": written.version,
        "text": written.text_version,
        "parity": written.version % 2,
    }


class Client:
    def __init__(self, name: str, url: str, journal: Journal) -> None:
        self.name = name
        self._journal = journal
        self._http = httpx.Client(base_url=url, timeout=_PATIENCE_SECONDS)

    def close(self) -> None:
        self._http.close()

    def upsert(self, namespace: str, writes: tuple[Written, ...], wait: str) -> Operation:
        documents = [
            {
                "id": written.doc_id,
                "text": text_of(written.doc_id, written.text_version),
                "metadata": metadata_of(namespace, written),
            }
            for written in writes
        ]
        body = {"namespace": namespace, "model_id": MODEL, "wait": wait, "documents": documents}
        asked = Asked(kind=Kind.UPSERT, namespace=namespace, limit_seconds=LIMITS[Kind.UPSERT], writes=writes)
        return self._send(asked, "POST", "/v1/upsert", body)

    def delete(self, namespace: str, written: Written) -> Operation:
        asked = Asked(kind=Kind.DELETE, namespace=namespace, limit_seconds=LIMITS[Kind.DELETE], writes=(written,))
        return self._send(asked, "DELETE", f"/v1/vectors/{written.doc_id}?namespace={namespace}")

    def get(self, namespace: str, doc_id: str) -> Operation:
        asked = Asked(kind=Kind.GET, namespace=namespace, limit_seconds=LIMITS[Kind.GET], doc_id=doc_id)
        return self._send(asked, "GET", f"/v1/vectors/{doc_id}?namespace={namespace}")

    def embed(self, text: str) -> Operation:
        asked = Asked(kind=Kind.EMBED, namespace="", limit_seconds=LIMITS[Kind.EMBED])
        return self._send(asked, "POST", "/v1/embed", {"inputs": [text], "model_id": MODEL}, text)

    def search(
        self, asked: Asked, *, by_vector: bool = False, exact: bool = False, token: str | None = None
    ) -> Operation:
        """For the text of a document when `asked` names one, else for anything."""
        text = text_of(asked.doc_id, asked.text_version) if asked.doc_id else "anything"
        body: dict[str, Any] = {"namespace": asked.namespace, "include": ["metadata", "text"], "exact": exact}
        body |= {"vector": vector_of(text)} if by_vector else {"query": text}
        body |= {"top_k": 5 if asked.doc_id else 100}
        if asked.parity is not None:
            body["filters"] = {"parity": asked.parity}
        if token is not None:
            body["min_token"] = token
        return self._send(asked, "POST", "/v1/search", body)

    def _send(self, asked: Asked, method: str, path: str, body: Any = None, text: str = "") -> Operation:
        invoked = time.monotonic()
        number = self._journal.invoke(self.name, asked, invoked)
        try:
            response = self._http.request(method, path, json=body)
            answered = read_answer(asked, response, text)
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


def read_answer(asked: Asked, response: httpx.Response, text: str = "") -> Answered:
    """An answer, with what is wrong with its form or content."""
    try:
        content = response.json()
        if response.status_code != 200:
            return _refusal(response, content)
        return _READERS[asked.kind](asked, content, text)
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


def _read_upsert(asked: Asked, content: Any, text: str) -> Answered:
    results = content["results"]
    same = [result["id"] for result in results] == [written.doc_id for written in asked.writes]
    writes = tuple(
        replace(written, state=result["state"], revision=result["revision"])
        for written, result in zip(asked.writes, results, strict=True)
    )
    return Answered(status=200, writes=writes, token=content["token"], fault="" if same else "results of others")


def _read_delete(asked: Asked, content: Any, text: str) -> Answered:
    (written,) = asked.writes
    fault = "" if content["id"] == written.doc_id else "another document"
    return Answered(status=200, writes=(replace(written, revision=content["revision"]),), fault=fault)


def _read_get(asked: Asked, content: Any, text: str) -> Answered:
    return Answered(status=200, seen=(_seen(content),), fault=_wrong_text(content))


def _read_search(asked: Asked, content: Any, text: str) -> Answered:
    hits = content["hits"]
    scores = [hit["score"] for hit in hits]
    faults = [fault for hit in hits if (fault := _wrong_text(hit))]
    if scores != sorted(scores, reverse=True):
        faults.append("hits out of order")
    if content["partial"] != (content["shards"]["ok"] < content["shards"]["total"]):
        faults.append("`partial` contradicts `shards`")
    seen = tuple(_seen(hit) for hit in hits)
    return Answered(status=200, seen=seen, partial=content["partial"], fault=", ".join(faults))


def _read_embed(asked: Asked, content: Any, text: str) -> Answered:
    difference = np.abs(np.subtract(content["embeddings"][0], vector_of(text))).max()
    return Answered(status=200, fault="" if difference < _SCORE_TOLERANCE else "the vector of another text")


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
        score=document.get("score", 0.0),
        stale=document.get("stale", False),
    )


def _wrong_text(document: Any) -> str:
    same = document.get("text") == text_of(document["id"], document["metadata"].get("text", ABSENT))
    return "" if same else f"{document['id']} has the metadata of another text"
