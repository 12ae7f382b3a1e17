"""The cross-encoder of the double: the share of the words of the query that a text has."""

from collections.abc import Mapping, Sequence
from typing import Any

from embsearch.testing import refusals
from embsearch.testing.word_search import words

Json = dict[str, Any]
RERANKER = "fake-reranker"


def relevance(query: str, text: str) -> float:
    wanted = set(words(query))
    return round(len(wanted & set(words(text))) / max(len(wanted), 1), 6)


def rerank(body: Mapping[str, Any]) -> Json:
    """Raises Refusal."""
    asked = refusals.known_fields(body, ("query", "documents", "model", "top_n", "return_documents", "truncate"))
    query = refusals.text(asked.get("query"), "query")
    given = refusals.items(asked.get("documents"), "documents")
    texts = [
        refusals.text(one["text"] if isinstance(one, dict) else one, f"documents[{place}]")
        for place, one in enumerate(given)
    ]
    top_n = refusals.whole_number(asked, "top_n", len(texts), 1, refusals.MOST_ITEMS)
    ranked = sorted(range(len(texts)), key=lambda place: -relevance(query, texts[place]))
    results = [
        {"index": place, "relevance_score": relevance(query, texts[place]), "truncated": False}
        | ({"document": {"text": texts[place]}} if asked.get("return_documents") else {})
        for place in ranked[:top_n]
    ]
    usage = {"inputs": len(texts), "tokens": sum(len(words(text)) for text in texts)}
    return {"results": results, "model_id": RERANKER, "model_version": 1, "usage": usage}


def reranked(shown: Sequence[Json], asked: Mapping[str, Any], query: str) -> tuple[list[Json], Json]:
    """Hits of a search in another order, and what the answer says of it."""
    wanted = refusals.known_fields(asked, ("model", "top", "query"))
    top = refusals.whole_number(wanted, "top", 50, 1, refusals.MOST_ITEMS)
    query = wanted.get("query", query)
    first = [
        {
            **hit,
            "score": relevance(query, hit["stored"].text or ""),
            "ranks": {**hit.get("ranks", {}), "search": place},
        }
        for place, hit in enumerate(shown[:top], 1)
    ]
    report = {"model_id": RERANKER, "model_version": 1, "reranked": len(first), "truncated": 0, "error": None}
    return [*sorted(first, key=lambda hit: -hit["score"]), *shown[top:]], report
