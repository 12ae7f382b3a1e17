"""What a search by words asks for, and the plan of it: which words choose documents, and what each adds to a score.

A word that many documents have chooses none as long as there are rarer ones: it only adds to the scores of those that
these choose. So a search reads a bounded number of documents, however many have `the`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from embeddings_app.records.text_search import Analysed, Term, quoted

MOST_WORDS = 32
"""Words of a query that count; of more, the rarest."""
MOST_RANKED, MOST_RANKED_BESIDE = 5_000, 2_000
"""Documents whose scores a search by words computes, and one by words and meaning, whose hits mostly have both."""
FILTERED_TIMES = 4
"""So many times as many, where a filter leaves some of them out."""
_TELLING_SHARE, _CHOOSING_SHARE = 0.5, 0.2
"""Words of more than so many of the documents count for nothing, or choose no document, as long as there are rarer
ones. Measured on Cranfield: the ranks are as good, and half of the documents need no score."""
_CHEAP_DOCUMENTS = 1_000
"""Among so few documents the two shares above do not matter."""


class Mode(StrEnum):
    VECTOR = "vector"
    TEXT = "text"
    HYBRID = "hybrid"


@dataclass(frozen=True, slots=True, kw_only=True)
class TextAsked:
    """Parts of a text query. No text in any of them makes it fail."""

    words: str = ""
    """The more of them stand in a document, and the rarer they are, the better it is."""
    all_words: bool = False
    """Whether each word must stand in it."""
    phrases: tuple[str, ...] = ()
    """Words that must stand side by side."""
    prefixes: tuple[str, ...] = ()
    """Each must begin a word."""
    exact: tuple[str, ...] = ()
    """Each must stand in the text as it is, but for capitals."""
    without: str = ""
    """None of these words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPlan:
    queries: tuple[str, ...]
    """Of Postgres: documents that any of them finds. None when there is no word to look for."""
    terms: tuple[Term, ...]
    words: tuple[str, ...]
    """Those that choose documents."""
    frequent: tuple[str, ...]
    """Those that only add to scores."""


def words_of(parts: Analysed) -> list[str]:
    """Each word that adds to scores, once."""
    return list(dict.fromkeys((*parts.words, *parts.bound)))


def plan(
    asked: TextAsked, parts: Analysed, counts: Mapping[str, float], documents: int, most_ranked: int = MOST_RANKED
) -> TextPlan:
    """`counts`: of each word, in how many of the `documents` of the namespace it stands."""
    rarest = sorted(words_of(parts), key=lambda word: counts[word])[:MOST_WORDS]
    telling = [word for word in rarest if counts[word] <= max(_TELLING_SHARE * documents, _CHEAP_DOCUMENTS)]
    rarest = telling or rarest[:1]
    terms = [Term(query=quoted(word), weight=_rarity(counts[word], documents)) for word in rarest]
    terms += [Term(query=prefix, weight=_rarity(documents / 100, documents)) for prefix in parts.prefixes if prefix]
    needed = [*_needed(asked, parts)]
    chosen = [word for word in rarest if word in parts.words]
    queries, selecting = [" & ".join(needed)], rarest
    if not needed and chosen:
        queries, selecting = _choosing(chosen, counts, documents, most_ranked)
    elif not needed and not asked.exact:
        # Nothing is left to look for. What is exact may be of words that the language leaves out.
        queries = []
    without = [f"!{quoted(word)}" for word in parts.without]
    return TextPlan(
        queries=tuple(" & ".join([f"({query})"] * bool(query) + without) for query in queries),
        terms=tuple(terms),
        words=tuple(selecting),
        frequent=tuple(word for word in rarest if word not in selecting),
    )


def _rarity(count: float, documents: int) -> float:
    """Inverse document frequency, as BM25 has it."""
    return math.log(1 + (max(documents - count, 0.0) + 0.5) / (count + 0.5))


def _needed(asked: TextAsked, parts: Analysed) -> Sequence[str]:
    """Queries that all must find a document."""
    exact = [quoted(word) for word in parts.bound] if asked.exact or asked.phrases else []
    every = [quoted(word) for word in parts.words] if asked.all_words else []
    return [*(part for part in (*parts.phrases, *parts.prefixes) if part), *exact, *every]


def _choosing(
    rarest: Sequence[str], counts: Mapping[str, float], documents: int, most_ranked: int
) -> tuple[list[str], list[str]]:
    """Queries, and the words of them: the rarest ones whose documents together are few enough."""
    total, few = 0.0, list[str]()
    for word in rarest:
        total += counts[word]
        frequent = total > _CHEAP_DOCUMENTS and counts[word] > _CHOOSING_SHARE * documents
        if total > most_ranked or (few and frequent):
            break
        few.append(word)
    if few:
        return [" | ".join(map(quoted, few))], few
    # All are frequent: those that have every word, and then whichever have the rarest.
    return [" & ".join(map(quoted, rarest)), quoted(rarest[0])], list(rarest)
