"""The search by words of the double: BM25 over all documents of a namespace, each word as it stands but for case."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from embsearch.testing import refusals
from embsearch.testing.refusals import Refusal
from embsearch.testing.state import Space, Stored

_WORD = re.compile(r"\w+(?:-\w+)*")
_FIELDS = ("words", "match", "phrases", "prefixes", "exact", "without")
_SATURATION, _LENGTH_SHARE = 1.2, 0.75
_RANK_CONSTANT = 60
Scored = tuple[float, Stored]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    words: list[str]
    every: bool
    phrases: list[list[str]]
    prefixes: list[str]
    exact: list[str]
    without: list[str]


def text_asked(asked: Mapping[str, Any], space: Space) -> Asked:
    """Raises Refusal."""
    if space.text_search == "off":
        raise Refusal("text_search_off", "the namespace keeps no words", field="mode", status=409)
    value = asked.get("text_query", asked.get("query"))
    name = "text_query" if "text_query" in asked else "query"
    if not isinstance(value, dict):
        if value is None:
            raise Refusal("missing_field", "the field query is required", field="query")
        value = {"words": refusals.text(value, name)}
    given = refusals.known_fields(value, _FIELDS)
    if not any(given.get(part) for part in ("words", "phrases", "prefixes", "exact")):
        raise Refusal("missing_field", "a text query has one part at least", field="text_query.words")
    return Asked(
        words=list(dict.fromkeys(words(given.get("words", "")))),
        every=refusals.chosen(given, "match", ("any", "all"), "any") == "all",
        phrases=[words(part) for part in given.get("phrases", ())],
        prefixes=[part.lower() for part in given.get("prefixes", ())],
        exact=list(given.get("exact", ())),
        without=words(given.get("without", "")),
    )


def words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def ranked(asked: Asked, documents: Sequence[Stored], space: Space) -> list[Scored]:
    """Those of `documents` that have what must be there, best first."""
    all_texts = [words(stored.text or "") for stored in space.documents.values()]
    mean = sum(len(set(text)) for text in all_texts) / max(len(all_texts), 1) or 1.0
    terms = list(dict.fromkeys([*asked.words, *(word for phrase in asked.phrases for word in phrase)]))
    rarity = {word: _rarity(sum(word in text for text in all_texts), len(all_texts)) for word in terms}
    found = []
    for stored in documents:
        text = words(stored.text or "")
        if _has_what_it_needs(asked, text, stored.text or ""):
            room = _SATURATION * (1 - _LENGTH_SHARE + _LENGTH_SHARE * len(set(text)) / mean)
            counts = {word: text.count(word) for word in terms}
            score = sum(rarity[word] * (_SATURATION + 1) * n / (n + room) for word, n in counts.items() if n)
            score += sum(any(word.startswith(prefix) for word in text) for prefix in asked.prefixes)
            found.append((round(score, 6), stored))
    return sorted(found, key=lambda one: (-one[0], one[1].order))


def _rarity(count: int, documents: int) -> float:
    return math.log(1 + (documents - count + 0.5) / (count + 0.5))


def _has_what_it_needs(asked: Asked, text: list[str], as_it_stands: str) -> bool:
    needed = [
        *(_has_phrase(text, phrase) for phrase in asked.phrases),
        *(any(word.startswith(prefix) for word in text) for prefix in asked.prefixes),
        *(bool(re.search(rf"(?<!\w){re.escape(part)}(?!\w)", as_it_stands, re.IGNORECASE)) for part in asked.exact),
        *(word in text for word in asked.words if asked.every),
    ]
    if any(word in text for word in asked.without) or not all(needed):
        return False
    return bool(needed) or any(word in text for word in asked.words)


def _has_phrase(text: list[str], phrase: list[str]) -> bool:
    return any(text[start : start + len(phrase)] == phrase for start in range(len(text) - len(phrase) + 1))


def fused(near: Sequence[Scored], by_words: Sequence[Scored], weights: Mapping[str, float]) -> list[dict[str, Any]]:
    """Hits with `stored`, `score` and `ranks`, best first."""
    found: dict[str, dict[str, Any]] = {}
    for name, ranking in (("vector", near), ("text", by_words)):
        for place, (_, stored) in enumerate(ranking[:100], 1):
            found.setdefault(stored.id, {"stored": stored, "ranks": {}})["ranks"][name] = place
    most = sum(weights.values()) / (_RANK_CONSTANT + 1)
    for hit in found.values():
        score = sum(weights[name] / (_RANK_CONSTANT + place) for name, place in hit["ranks"].items()) / most
        hit["score"] = round(score, 6)
    return sorted(found.values(), key=lambda hit: -hit["score"])


def highlights(asked: Asked, stored: Stored) -> list[dict[str, Any]]:
    """The whole text as one piece."""
    wanted = {*asked.words, *(word for phrase in asked.phrases for word in phrase)}
    places = [
        [found.start(), found.end()]
        for found in _WORD.finditer(stored.text or "")
        if found[0].lower() in wanted or any(found[0].lower().startswith(prefix) for prefix in asked.prefixes)
    ]
    return [{"text": stored.text or "", "marks": places}]


def report(asked: Asked, space: Space, looked_at: int) -> dict[str, Any]:
    said = {"language": space.text_search, "words": asked.words, "frequent": list[str](), "looked_at": looked_at}
    return {**said, "incomplete": None}
