"""What a search can ask for, and the body that asks for it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypedDict

from embsearch.filters import FilterLike, filter_json
from embsearch.vectors import base64_of

Liked = str | Sequence[str | Mapping[str, Any]]
"""One id, or several; a mapping is {"id": ..., "weight": ...}."""


class TextQuery(TypedDict, total=False):
    """Parts of what is looked for by words. No text in any of them makes a search fail."""

    words: str
    """The more of them a document has, and the rarer they are, the better it is."""
    match: Literal["any", "all"]
    phrases: Sequence[str]
    """Words that must stand side by side."""
    prefixes: Sequence[str]
    """Each must begin a word."""
    exact: Sequence[str]
    """Each must stand in the text as it is, but for capitals."""
    without: str
    """None of these words."""


class Weights(TypedDict, total=False):
    """Of the two rankings that are fused; 1 where left out."""

    vector: float
    text: float


class Rerank(TypedDict, total=False):
    """The first hits ranked once more, by a cross-encoder."""

    model: str
    """Else the only one that there is."""
    top: int
    """How many of the first hits."""
    query: str
    """Else the text of the search."""


class SearchOptions(TypedDict, total=False):
    """What is left out is left to the service. The reference of `POST /v1/search` says more."""

    vector: Any
    """A list of numbers or a numpy array, instead of a text."""
    like: Liked
    """Documents of the namespace, instead of a text."""
    unlike: Liked
    """Documents from which to search away; only beside `like`."""
    mode: Literal["vector", "text", "hybrid"]
    """By meaning, by words, or by both. Words need a namespace with text search."""
    text_query: str | TextQuery
    """What to look for by words; else the words of the text."""
    weights: Weights
    """Of the two rankings of mode hybrid."""
    highlight: bool
    """Pieces of the texts, with the words marked."""
    rerank: Rerank
    top_k: int
    offset: int
    min_score: float
    group_by: str
    """A metadata field: the nearest groups; top_k then counts groups. Hits of a group stand together."""
    group_size: int
    mmr: float
    """0 to 1: hits that differ from each other."""
    filter: FilterLike
    include: Iterable[Literal["metadata", "text", "vector"]]
    model_version: int
    ef_search: int | Literal["auto"]
    exact: bool
    allow_partial: bool
    min_token: str | Sequence[str] | None


def search_request(text: str | None, how: SearchOptions) -> dict[str, Any]:
    """The body of a search, without its namespace."""
    asked: dict[str, Any] = {"query": text, **how}
    asked["filters"] = filter_json(asked.pop("filter", None))
    if asked.get("vector") is not None:
        asked["vector"] = base64_of(asked["vector"])
    if asked.get("include") is not None:
        asked["include"] = list(asked["include"])
    for name in ("like", "unlike"):
        if name in asked:
            asked[name] = [asked[name]] if isinstance(asked[name], str) else list(asked[name])
    return asked
