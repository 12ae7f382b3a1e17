"""The upserts of the double."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from embsearch.testing import refusals
from embsearch.testing.embedding import embedded
from embsearch.testing.refusals import Refusal
from embsearch.testing.state import State

Json = dict[str, Any]
_SHARED = ("namespace", "model_id", "wait")
_DOCUMENT = ("id", "text", "vector", "metadata", "expires_at", "if_revision")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Write:
    id: str
    text: str
    metadata: Json
    expires_at: str | None
    if_revision: int | None
    place: str


def upsert(state: State, body: Json, dimension: int) -> Json:
    """Raises Refusal when no document is without a fault."""
    several = "documents" in body
    asked = refusals.known_fields(body, (*_SHARED, *(("documents",) if several else _DOCUMENT)))
    refusals.chosen(asked, "wait", ("accepted", "indexed", "searchable"), "accepted")
    if asked.get("model_id", state.model_id) != state.model_id:
        raise Refusal("unknown_model", field="model_id", status=404)
    alone = {name: value for name, value in asked.items() if name not in _SHARED}
    given = refusals.items(asked["documents"], "documents") if several else [alone]
    places = [f"documents[{number}]." if several else "" for number in range(len(given))]
    checked = [_checked(document, place) for document, place in zip(given, places, strict=True)]
    _refuse_repeated([one.id for one in checked if isinstance(one, _Write)])
    name = asked.get("namespace", "default")
    checked = [_at_its_revision(state, name, one) if isinstance(one, _Write) else one for one in checked]
    if all(isinstance(one, Refusal) for one in checked):
        raise next(one for one in checked if isinstance(one, Refusal))
    space = state.written_space(name)
    results: list[Json] = []
    for one, document in zip(checked, given, strict=True):
        if isinstance(one, Refusal):
            results.append({"id": document.get("id") if isinstance(document, dict) else None, "error": one.error})
        else:
            before = space.documents.get(one.id)
            stored = space.write(one.id, one.text, one.metadata, embedded(one.text, dimension), one.expires_at)
            told = {"id": one.id, "revision": stored.revision, "state": "searchable"}
            results.append(told | {"unchanged": True} if stored is before else told)
    return {"results": results, "token": state.token()}


def _checked(document: object, place: str) -> _Write | Refusal:
    try:
        if not isinstance(document, dict):
            raise Refusal("invalid_type", "must be an object", field=place.rstrip("."))
        known = refusals.known_fields(document, _DOCUMENT)
        for name in ("id", "text"):
            if name not in known:
                raise Refusal("missing_field", field=f"{place}{name}")
        if "vector" in known:
            raise Refusal("text_required", field=f"{place}vector")
        return _Write(
            id=refusals.doc_id(known["id"], f"{place}id"),
            text=refusals.text(known["text"], f"{place}text"),
            metadata=refusals.metadata(known.get("metadata", {}), f"{place}metadata"),
            expires_at=_moment(known.get("expires_at"), f"{place}expires_at"),
            if_revision=known.get("if_revision"),
            place=place,
        )
    except Refusal as refusal:
        return refusal


def _refuse_repeated(ids: Sequence[str]) -> None:
    if repeated := [doc_id for doc_id, number in Counter(ids).items() if number > 1]:
        raise Refusal("duplicate_id", f"{repeated[0]!r} is there twice", field="documents")


def _at_its_revision(state: State, name: str, write: _Write) -> _Write | Refusal:
    space = state.spaces.get(name) and state.space(name)
    stored = space.documents.get(write.id) if space else None
    revision = stored.revision if stored else 0
    if write.if_revision in (None, revision):
        return write
    told = f"the document is at revision {revision}" if revision else "there is no such document"
    return Refusal("revision_conflict", told, field=f"{write.place}if_revision", status=409)


def _moment(value: object, field: str) -> str | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.utcoffset() is None:
        raise Refusal("invalid_value", "must be a time of RFC 3339 with an offset", field=field)
    return moment.isoformat()
