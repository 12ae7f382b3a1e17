"""Answers as the journal keeps them: what they show, and what is wrong with their form or content."""

import json
from base64 import urlsafe_b64decode
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import httpx
import numpy as np

from embedding_project.contracts.errors import ERROR_KINDS
from tests.chaos.content import MARK, vector_of, wrong_content
from tests.chaos.history import ABSENT, Answered, Asked, Kind, Seen

_SCORE_TOLERANCE = 1e-4


def read_answer(asked: Asked, response: httpx.Response, texts: Sequence[str] = ()) -> Answered:
    """An answer, with what is wrong with its form or content."""
    try:
        content = response.json()
        if response.status_code != 200:
            return _refusal(response, content)
        return _READERS[asked.kind](asked, content, texts)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        return Answered(status=response.status_code, fault=f"not in the documented form: {type(error).__name__}")


def read_batch(asked: Sequence[Asked], response: httpx.Response) -> list[Answered]:
    """The answers to searches that were sent together; the same refusal for all where none was made."""
    try:
        if response.status_code != 200:
            return [_refusal(response, response.json())] * len(asked)
        results = response.json()["results"]
        return [_one_of_batch(search, result) for search, result in zip(asked, results, strict=True)]
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        fault = f"not in the documented form: {type(error).__name__}"
        return [Answered(status=response.status_code, fault=fault)] * len(asked)


def next_page(response: httpx.Response) -> str | None:
    """The cursor of the page after this one."""
    cursor: str | None = response.json().get("next")
    return cursor


def _one_of_batch(asked: Asked, result: Any) -> Answered:
    if "error" not in result:
        return _read_search(asked, result, ())
    code = result["error"]["code"]
    fault = "" if code in ERROR_KINDS else "an error that is not of the table"
    # A search among others has no headers of its own.
    return Answered(status=ERROR_KINDS[code].status if not fault else 200, code=code, retry_after="1", fault=fault)


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


def _read_list(asked: Asked, content: Any, texts: Sequence[str]) -> Answered:
    """One page."""
    documents = content["documents"]
    faults = [fault for document in documents if (fault := wrong_content(document))]
    return Answered(status=200, seen=tuple(map(_seen, documents)), fault=", ".join(faults))


def _read_search(asked: Asked, content: Any, texts: Sequence[str]) -> Answered:
    hits = content["hits"]
    scores = [hit["score"] for hit in hits]
    faults = [fault for hit in hits if (fault := wrong_content(hit))]
    if scores != sorted(scores, reverse=True):
        faults.append("hits out of order")
    shard_failed = content["shards"]["ok"] < content["shards"]["total"]
    # One half of a hybrid search may be missing too.
    if content["partial"] != shard_failed and not (asked.mode and content["partial"]):
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


def _read_change(asked: Asked, content: Any, texts: Sequence[str]) -> Answered:
    counted = content["deleted" if asked.kind is Kind.SWEEP else "updated"]
    fault = "" if type(counted) is int and not content.get("refused") else "refused what breaks no limit"
    return Answered(status=200, unfinished=content["next"] is not None, fault=fault)


def _read_drop(asked: Asked, content: Any, texts: Sequence[str]) -> Answered:
    return Answered(status=200, fault="" if content["name"] == asked.namespace else "another namespace")


_READERS = {
    Kind.UPSERT: _read_upsert,
    Kind.DELETE: _read_delete,
    Kind.GET: _read_get,
    Kind.SEARCH: _read_search,
    Kind.EMBED: _read_embed,
    Kind.SWEEP: _read_change,
    Kind.MARK: _read_change,
    Kind.LIST: _read_list,
    Kind.DROP: _read_drop,
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
        mark=metadata.get(MARK, 0),
    )
