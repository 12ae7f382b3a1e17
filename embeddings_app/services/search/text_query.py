"""What a search by words asks for, and the plan of it: which words choose documents, and what each adds to a score.

A word that many documents have chooses, beside rarer ones, only those where it is strong or meets another; it adds to
the scores of all. So a search reads a bounded number of documents, however many have `the`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from embeddings_app.records.text_search import Analysed, Term, quoted
from embeddings_app.services.search.choosing import CHEAP_DOCUMENTS, Choice, choice

MOST_WORDS = 32
"""Words of a query that count; of more, the rarest."""
MOST_RANKED, MOST_RANKED_BESIDE = 2_000, 1_000
"""Documents whose scores a search by words computes, and one by words and meaning, whose hits mostly have both."""
FILTERED_TIMES = 8
"""So many times as many, where a filter leaves some of them out."""
_TELLING_SHARE = 0.5
"""Words of more than so many of the documents count for nothing, as long as there are rarer ones. Measured on
Cranfield: the ranks are as good."""


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
    spare: tuple[str, ...]
    """Likewise, each asked only where those before it find too few."""
    terms: tuple[Term, ...]
    words: tuple[str, ...]
    """Those that choose all of their documents, or the best of them where there are no rarer words."""
    frequent: tuple[str, ...]
    """The others: beside rarer words they choose a few documents at most, and add to scores."""


def words_of(parts: Analysed) -> list[str]:
    """Each word that adds to scores, once."""
    return list(dict.fromkeys((*parts.words, *parts.bound)))


def plan(
    asked: TextAsked, parts: Analysed, counts: Mapping[str, float], documents: int, most_ranked: int = MOST_RANKED
) -> TextPlan:
    """`counts`: of each word, in how many of the `documents` of the namespace it stands, and has each level of
    strength."""
    rarest = sorted(words_of(parts), key=lambda word: counts[word])[:MOST_WORDS]
    telling = [word for word in rarest if counts[word] <= max(_TELLING_SHARE * documents, CHEAP_DOCUMENTS)]
    rarest = telling or rarest[:1]
    terms = [Term(query=quoted(word), weight=_rarity(counts[word], documents)) for word in rarest]
    terms += [Term(query=prefix, weight=_rarity(documents / 100, documents)) for prefix in parts.prefixes if prefix]
    needed = [*_needed(asked, parts)]
    chosen = [word for word in rarest if word in parts.words]
    chooses = Choice(queries=(" & ".join(needed),), spare=(), words=tuple(rarest))
    if not needed and chosen:
        chooses = choice(chosen, counts, documents, most_ranked)
    elif not needed and not asked.exact:
        # Nothing is left to look for. What is exact may be of words that the language leaves out.
        chooses = replace(chooses, queries=())
    without = [f"!{quoted(word)}" for word in parts.without]

    def whole(query: str) -> str:
        return " & ".join([f"({query})"] * bool(query) + without)

    return TextPlan(
        queries=tuple(map(whole, chooses.queries)),
        spare=tuple(map(whole, chooses.spare)),
        terms=tuple(terms),
        words=chooses.words,
        frequent=tuple(word for word in rarest if word not in chooses.words),
    )


def _rarity(count: float, documents: int) -> float:
    """Inverse document frequency, as BM25 has it."""
    return math.log(1 + (max(documents - count, 0.0) + 0.5) / (count + 0.5))


def _needed(asked: TextAsked, parts: Analysed) -> Sequence[str]:
    """Queries that all must find a document."""
    exact = [quoted(word) for word in parts.bound] if asked.exact or asked.phrases else []
    every = [quoted(word) for word in parts.words] if asked.all_words else []
    return [*(part for part in (*parts.phrases, *parts.prefixes) if part), *exact, *every]
