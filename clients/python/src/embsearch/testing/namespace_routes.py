"""The routes of the double for namespaces, models and single documents."""

from collections.abc import Mapping
from typing import Any

from embsearch.testing import refusals
from embsearch.testing.document_routes import document_json
from embsearch.testing.refusals import Refusal
from embsearch.testing.state import Space, State

Json = dict[str, Any]


def models(state: State, dimension: int) -> Json:
    version = {"model_id": state.model_id, "model_version": 1, "type": "transformers", "dimension": dimension}
    return {"object": "list", "data": [], "models": [{**version, "status": "active", "max_tokens": 256}]}


def listed(state: State, query: Mapping[str, str]) -> Json:
    limit, after = int(query.get("limit", 20)), query.get("after", "")
    names = [name for name in sorted(state.spaces) if name > after]
    page = names[:limit]
    following = page[-1] if len(names) > limit else None
    return {"namespaces": [_entry(state.spaces[name]) for name in page], "next": following}


def one(state: State, method: str, name: str, body: Json) -> tuple[int, Json]:
    """Status and body."""
    if method == "PUT":
        return _made(state, name, refusals.known_fields(body, ("model_id", "store_text", "text_search")))
    if method == "PATCH":
        return 200, _changed(state, name, refusals.known_fields(body, ("text_search",)))
    if method == "DELETE":
        return 200, {"name": name, "dropped": state.spaces.pop(name, None) is not None}
    if method != "GET":
        raise Refusal("method_not_allowed", status=405)
    space = state.space(name)
    number = len(space.documents)
    counted = {"count": number, "pending": 0, "searchable": number, "quarantined": 0, "count_is_exact": True}
    text = {"language": space.text_search, "documents": number if space.text_search != "off" else 0, "complete": True}
    known = {"fields": space.fields(), "unused_fields": list[str](), "text_search": text}
    return 200, {"name": name, "model_id": space.model_id, **counted, **known}


def vector(state: State, method: str, path: str, query: Mapping[str, str]) -> Json:
    space, doc_id = state.space(query.get("namespace", "default")), path.removeprefix("/v1/vectors/")
    if method == "DELETE":
        deleted = space.delete(doc_id)
        return {"id": doc_id, "revision": space.revisions.get(doc_id, 0), "deleted": deleted}
    if doc_id not in space.documents:
        raise Refusal("unknown_document", status=404)
    include = ("metadata", "text", "vector") if query.get("include") == "vector" else ("metadata", "text")
    return document_json(space, space.documents[doc_id], include)


def _made(state: State, name: str, asked: Json) -> tuple[int, Json]:
    model_id, store_text = asked.get("model_id", state.model_id), asked.get("store_text", True)
    if model_id != state.model_id:
        raise Refusal("unknown_model", field="model_id", status=404)
    text_search = asked.get("text_search")
    _check_text_search(text_search or "off", store_text)
    there = state.spaces.get(name)
    if there and (there.store_text != store_text or text_search not in (None, there.text_search)):
        raise Refusal("namespace_exists", "The namespace has other settings.", status=409)
    new = Space(name=name, model_id=model_id, store_text=store_text, text_search=text_search or "off")
    space = state.spaces.setdefault(name, new)
    return (200 if there else 201), _entry(space)


def _changed(state: State, name: str, asked: Json) -> Json:
    space = state.space(name)
    if "text_search" not in asked:
        raise Refusal("missing_field", field="text_search")
    _check_text_search(asked["text_search"], space.store_text)
    space.text_search = asked["text_search"]
    return _entry(space)


def _check_text_search(language: object, store_text: bool) -> None:
    if not isinstance(language, str) or not language.isalpha():
        raise Refusal("invalid_value", "not a language", field="text_search")
    if language != "off" and not store_text:
        raise Refusal("text_not_kept", field="text_search", status=409)


def _entry(space: Space) -> Json:
    return {
        "name": space.name,
        "model_id": space.model_id,
        "store_text": space.store_text,
        "text_search": space.text_search,
        "created_at": space.created_at,
        "count": len(space.documents),
        "count_is_exact": True,
    }
