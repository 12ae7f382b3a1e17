"""The routes of the double for documents."""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from embsearch.testing import refusals
from embsearch.testing.matching import filter_test, flatten, typed
from embsearch.testing.refusals import Refusal
from embsearch.testing.state import Space, State, Stored

_PARTS = ("metadata", "text", "vector")
_CHOICE = ("ids", "filters", "all", "namespace", "cursor")
Json = dict[str, Any]


def query(state: State, body: Json) -> Json:
    asked = refusals.known_fields(body, ("namespace", "filters", "limit", "order", "cursor", "include"))
    limit = refusals.whole_number(asked, "limit", 100, 1, 1000)
    backwards = refusals.chosen(asked, "order", ("id", "-id"), "id") == "-id"
    include = refusals.included(asked, _PARTS, ("metadata", "text"))
    space = _space(state, asked)
    cursor = asked.get("cursor")
    found = sorted(_passing(space, asked), key=lambda stored: stored.id.encode(), reverse=backwards)
    if cursor is not None:
        after = cursor.encode()
        found = [one for one in found if (one.id.encode() < after if backwards else one.id.encode() > after)]
    page = found[:limit]
    return {
        "documents": [document_json(space, one, include) for one in page],
        "next": page[-1].id if len(found) > limit else None,
    }


def get(state: State, body: Json) -> Json:
    asked = refusals.known_fields(body, ("namespace", "ids", "include"))
    include = refusals.included(asked, _PARTS, ("metadata", "text"))
    space, ids = _space(state, asked), _ids(asked)
    found = [space.documents[doc_id] for doc_id in ids if doc_id in space.documents]
    return {
        "documents": [document_json(space, one, include) for one in found],
        "missing": [doc_id for doc_id in ids if doc_id not in space.documents],
    }


def count(state: State, body: Json) -> Json:
    asked = refusals.known_fields(body, ("namespace", "filters"))
    return {"count": sum(1 for _ in _passing(_space(state, asked), asked)), "is_exact": True}


def facet(state: State, body: Json) -> Json:
    asked = refusals.known_fields(body, ("namespace", "filters", "field", "limit"))
    limit = refusals.whole_number(asked, "limit", 10, 1, 1000)
    if not isinstance(asked.get("field"), str):
        raise Refusal("missing_field" if "field" not in asked else "invalid_type", field="field")
    shown: dict[tuple[str, Any], Any] = {}
    numbers: Counter[tuple[str, Any]] = Counter()
    for stored in _passing(_space(state, asked), asked):
        values = list(_single_values(flatten(stored.metadata).get(asked["field"], [])))
        shown |= {typed(value): value for value in values}
        numbers.update({typed(value) for value in values})
    ordered = sorted(numbers.items(), key=lambda pair: (-pair[1], str(shown[pair[0]])))
    values_json = [{"value": shown[key], "count": number} for key, number in islice(ordered, limit)]
    return {"values": values_json, "is_exact": True}


def _single_values(values: list[Any]) -> Iterator[Any]:
    for value in values:
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, str | int | float):
                yield one


def update(state: State, body: Json) -> Json:
    asked = refusals.known_fields(body, (*_CHOICE, "set", "unset", "wait"))
    new, unset = (
        refusals.metadata(asked.get("set", {}), "set"),
        refusals.items(asked.get("unset", []), "unset", least=0),
    )
    if not new and not unset:
        raise Refusal("missing_field", "set or unset is required", field="set")
    space = _space(state, asked)
    chosen = list(_chosen(space, asked))
    state.writes += 1
    updated = sum(space.update(stored, new, unset) for stored in chosen)
    return {"matched": len(chosen), "updated": updated, "refused": [], "token": state.token(), "next": None}


def delete(state: State, body: Json) -> Json:
    asked = refusals.known_fields(body, (*_CHOICE, "dry_run"))
    space = _space(state, asked)
    chosen = list(_chosen(space, asked))
    if asked.get("dry_run"):
        return {"deleted": len(chosen), "is_exact": True, "next": None}
    return {"deleted": sum(space.delete(stored.id) for stored in chosen), "next": None}


def document_json(space: Space, stored: Stored, include: object = _PARTS) -> Json:
    assert isinstance(include, tuple)
    return {
        "id": stored.id,
        "namespace": space.name,
        "revision": stored.revision,
        "state": "indexed",
        "stale": False,
        "updated_at": stored.updated_at,
        "expires_at": stored.expires_at,
        **{name: getattr(stored, name) for name in include},
    }


def _space(state: State, asked: Mapping[str, Any]) -> Space:
    return state.space(asked.get("namespace", "default"))


def _ids(asked: Mapping[str, Any]) -> list[str]:
    ids = refusals.items(asked.get("ids"), "ids")
    return [refusals.doc_id(value, f"ids[{index}]") for index, value in enumerate(ids)]


def _passing(space: Space, asked: Mapping[str, Any]) -> Iterator[Stored]:
    passes = filter_test(asked.get("filters"))
    return (stored for stored in space.documents.values() if passes(flatten(stored.metadata)))


def _chosen(space: Space, asked: Mapping[str, Any]) -> Iterator[Stored]:
    given = [name for name in ("ids", "filters", "all") if asked.get(name)]
    if not given:
        raise Refusal("missing_field", 'one of ids, filters and "all": true is required', field="filters")
    if len(given) > 1:
        raise Refusal("invalid_value", f"{' and '.join(given)} cannot be given together", field=given[-1])
    if given == ["ids"]:
        return (space.documents[doc_id] for doc_id in _ids(asked) if doc_id in space.documents)
    return _passing(space, asked)
