"""The searches of the double: every document is compared."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from embsearch.testing import refusals
from embsearch.testing.embedding import embedded, similarity, unit
from embsearch.testing.matching import filter_test, flatten, typed
from embsearch.testing.refusals import Refusal
from embsearch.testing.reranking import reranked
from embsearch.testing.state import Space, State, Stored
from embsearch.testing.word_search import Asked, Scored, fused, highlights, ranked, report, text_asked

_FIELDS = (
    "query", "vector", "like", "unlike", "top_k", "offset", "min_score", "mmr", "filters", "namespace", "model_id",
    "model_version", "ef_search", "exact", "include", "min_token", "allow_partial", "mode", "text_query", "weights",
    "highlight", "group_by", "group_size", "rerank",
)  # fmt: skip
_OF_OTHER_MODES = {
    "vector": ("text_query", "weights", "highlight"),
    "text": ("vector", "like", "unlike", "weights", "mmr", "min_score", "exact", "ef_search"),
    "hybrid": ("mmr",),
}


def search(state: State, body: Mapping[str, Any], dimension: int) -> dict[str, Any]:
    """Raises Refusal."""
    asked = refusals.known_fields(body, _FIELDS)
    top_k, offset = (
        refusals.whole_number(asked, "top_k", 10, 1, 1000),
        refusals.whole_number(asked, "offset", 0, 0, 999),
    )
    include = refusals.included(asked, ("metadata", "text", "vector"), ("metadata",))
    passes = filter_test(asked.get("filters"))
    if "min_token" in asked:
        state.check_tokens(asked["min_token"])
    space = state.space(asked.get("namespace", "default"))
    left_out = {name for name, _ in [*_liked(asked, "like"), *_liked(asked, "unlike")]}
    passing = [one for one in space.documents.values() if one.id not in left_out and passes(flatten(one.metadata))]
    mode = _mode(asked)
    wanted = None if mode == "vector" else text_asked(asked, space)
    near = [] if mode == "text" else _near(asked, passing, _query_vector(asked, space, dimension))
    if wanted is None:
        found = _different(near, asked["mmr"], offset + top_k) if "mmr" in asked else near
        shown = [{"stored": stored, "score": score} for score, stored in found]
    else:
        by_words = ranked(wanted, passing, space)
        shown = [{"stored": stored, "score": score} for score, stored in by_words]
        if mode == "hybrid":
            shown = fused(near, by_words, {"vector": 1.0, "text": 1.0, **asked.get("weights", {})})
    more: dict[str, Any] = {"text": report(wanted, space, len(passing))} if wanted else {}
    if "rerank" in asked:
        if "group_by" in asked:
            raise Refusal("invalid_value", "a search has group_by or rerank", field="group_by")
        shown, more["rerank"] = reranked(shown, asked["rerank"], asked.get("query", ""))
    marked = wanted if asked.get("highlight") else None
    if (field := _group_field(asked)) is not None:
        groups = _groups(shown, field, refusals.whole_number(asked, "group_size", 1, 1, 100))[offset : offset + top_k]
        hits = [_hit(one, include, marked) | {"group": value} for value, members in groups for one in members]
        told: dict[str, Any] = {"groups": {"count": len(groups), "seen": len(shown), "complete": True}}
    else:
        hits, told = [_hit(one, include, marked) for one in shown[offset : offset + top_k]], {}
    return _answer_of(asked, space, hits) | told | more


def _group_field(asked: Mapping[str, Any]) -> str | None:
    field = asked.get("group_by")
    if field is not None and not isinstance(field, str):
        raise Refusal("invalid_type", "must be a string", field="group_by")
    for name in ("mmr", "highlight") if field is not None else ():
        if asked.get(name):
            raise Refusal("invalid_value", f"a search with group_by has no {name}", field=name)
    if field is None and "group_size" in asked:
        raise Refusal("missing_field", "group_size needs group_by", field="group_by")
    return field


def _groups(shown: Sequence[dict[str, Any]], field: str, size: int) -> list[tuple[Any, list[dict[str, Any]]]]:
    """By the values of the field, the nearest first. A document with a list is in the group of each value in it."""
    found: dict[Any, tuple[Any, list[dict[str, Any]]]] = {}
    for one in shown:
        for value in flatten(one["stored"].metadata).get(field, ()):
            for single in value if isinstance(value, list) else [value]:
                members = found.setdefault(typed(single), (single, []))[1]
                if one not in members and len(members) < size:
                    members.append(one)
    return list(found.values())


def _mode(asked: Mapping[str, Any]) -> str:
    mode = refusals.chosen(asked, "mode", tuple(_OF_OTHER_MODES), "vector")
    for name in _OF_OTHER_MODES[mode]:
        if name in asked:
            raise Refusal("invalid_value", f"a search in mode {mode} has no {name}", field=name)
    return mode


def _near(asked: Mapping[str, Any], documents: Sequence[Stored], vector: Sequence[float]) -> list[Scored]:
    scored = [(round(similarity(vector, stored.vector), 6), stored) for stored in documents]
    scored = [one for one in scored if one[0] >= asked.get("min_score", -2.0)]
    return sorted(scored, key=lambda one: (-one[0], one[1].order))


def _answer_of(asked: Mapping[str, Any], space: Space, hits: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    shards = 0 if asked.get("mode") == "text" else 1
    return {
        "hits": hits,
        "partial": False,
        "shards": {"total": shards, "ok": shards, "failed": []},
        "timings_ms": {"total": 0.0},
        "model_id": space.model_id,
        "model_version": 1,
        "ef_search": 100 * shards if not isinstance(asked.get("ef_search"), int) else asked["ef_search"],
    }


def search_batch(state: State, body: Mapping[str, Any], dimension: int) -> dict[str, Any]:
    asked = refusals.known_fields(body, ("searches",))
    searches = refusals.items(asked.get("searches"), "searches", most=64)
    return {"results": [_answer(state, one, dimension) for one in searches]}


def _answer(state: State, body: Mapping[str, Any], dimension: int) -> dict[str, Any]:
    try:
        return search(state, body, dimension)
    except Refusal as refusal:
        return {"error": refusal.error}


def _query_vector(asked: Mapping[str, Any], space: Space, dimension: int) -> list[float]:
    given = [name for name in ("query", "vector", "like") if name in asked]
    if len(given) != 1:
        code = "invalid_value" if given else "missing_field"
        raise Refusal(code, "one of query, vector and like is required", field=given[-1] if given else "query")
    if "query" in asked:
        return embedded(refusals.text(asked["query"], "query"), dimension)
    if "vector" in asked:
        return unit(refusals.vector(asked["vector"], "vector", dimension))
    total = [0.0] * dimension
    for name, sign in (("like", 1.0), ("unlike", -1.0)):
        for doc_id, weight in _liked(asked, name):
            if doc_id not in space.documents:
                raise Refusal("unknown_document", f"there is no document {doc_id!r}", field=name, status=404)
            stored = space.documents[doc_id]
            total = [a + sign * weight * b for a, b in zip(total, stored.vector, strict=True)]
    return unit(total)


def _liked(asked: Mapping[str, Any], name: str) -> list[tuple[str, float]]:
    return [
        (one["id"], one.get("weight", 1.0)) if isinstance(one, dict) else (one, 1.0)
        for one in refusals.items(asked.get(name, []), name, least=0, most=32)
    ]


def _different(scored: Sequence[Scored], share: float, number: int) -> list[Scored]:
    """By maximal marginal relevance."""
    left, taken = list(scored), list[Scored]()
    while left and len(taken) < number:
        best = max(
            left,
            key=lambda one: (
                share * one[0]
                - (1 - share) * max((similarity(one[1].vector, other.vector) for _, other in taken), default=0.0)
            ),
        )
        left.remove(best)
        taken.append(best)
    return taken


def _hit(one: Mapping[str, Any], include: Collection[str], wanted: Asked | None) -> dict[str, Any]:
    stored = one["stored"]
    hit = {"id": stored.id, "score": one["score"], **{name: getattr(stored, name) for name in include}}
    if "ranks" in one:
        hit["ranks"] = one["ranks"]
    return hit if wanted is None else {**hit, "highlights": highlights(wanted, stored)}
