"""Which documents a search by words ranks: all of rare words, and of frequent ones the best.

The index finds all documents of a word in one go, and in no order. So what it is asked for must be few: a rare word;
several frequent ones where they meet, and if these are still many, where one of them is strong besides; two where both
are strong; one where it is very strong.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from embeddings_app.records.text_search import quoted
from embeddings_app.records.words import STRONG_TIMES, strong

_CHOOSING_SHARE = 0.2
"""Words of more than so many of the documents choose none, as long as there are rarer ones. Measured on Cranfield: the
ranks are as good."""
CHEAP_DOCUMENTS = 1_000
"""Among so few documents the share above does not matter."""
_MOST_LISTED = 20_000
"""Documents that the index goes through where words meet; each costs it 0.15 us."""
_NEAR = 5.0
"""Words of one query meet in so many times as many documents as if they had nothing to do with each other."""


_MET = 3
"""Words that are to meet, at most: more of them hardly do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    queries: tuple[str, ...]
    """Of Postgres: documents that any of them finds are ranked, those of the first one first."""
    spare: tuple[str, ...]
    """Likewise, each asked only where those before it find too few."""
    words: tuple[str, ...]
    """Those that choose."""


def choice(rarest: Sequence[str], counts: Mapping[str, float], documents: int, most: int) -> Choice:
    """Of words, the rarest first, and at least one. `counts`: in how many of the `documents` each stands, and in how
    many it has each level of strength. `most`: how many may be ranked."""
    few, frequent = _few(rarest, counts, documents, most)
    left = most - sum(counts[word] for word in few)
    queries = [_any(few)] if few else []
    # Those with three come first also where two seem to meet in few documents: words of one phrase meet far more often.
    queries += [_meeting(frequent[:number], counts, documents, left) for number in (_MET, 2) if len(frequent) >= number]
    if frequent:
        queries.append(_any(_strongest(word, counts, left / len(frequent)) for word in frequent))
    spare = () if few else (_any(strong(word, 1) for word in rarest[:_MET]), quoted(rarest[0]))
    return Choice(queries=tuple(queries), spare=spare, words=tuple(few or rarest))


def _few(rarest: Sequence[str], counts: Mapping[str, float], documents: int, most: int) -> tuple[list[str], list[str]]:
    """The rarest words whose documents together are few enough, and those of the others that choose some."""

    def too_frequent(word: str) -> bool:
        return bool(few) and total > CHEAP_DOCUMENTS and counts[word] > _CHOOSING_SHARE * documents

    total, few = 0.0, list[str]()
    for word in rarest:
        total += counts[word]
        if total > most or too_frequent(word):
            break
        few.append(word)
    return few, [word for word in rarest[len(few) :] if not too_frequent(word)]


def _strongest(word: str, counts: Mapping[str, float], most: float) -> str:
    """The word for the texts where it is strong, at the first level that has few enough."""
    levels = range(1, len(STRONG_TIMES) + 1)
    return strong(word, next((level for level in levels if _at(word, level, counts) <= most), levels[-1]))


def _meeting(words: Sequence[str], counts: Mapping[str, float], documents: int, most: float) -> str:
    """All of the words, and if that is too much, one of them strong, or two of them."""

    def meets(word: str, level: int) -> float:
        others = (min(_NEAR * counts[other] / max(documents, 1), 1.0) for other in words if other != word)
        return _at(word, level, counts) * math.prod(others)

    every = " & ".join(map(quoted, words))
    if counts[words[0]] <= _MOST_LISTED and meets(words[0], 0) <= most:
        return every
    levels = range(1, len(STRONG_TIMES) + 1)
    fitting = (
        level
        for level in levels
        if sum(_at(word, level, counts) for word in words) <= _MOST_LISTED
        and sum(meets(word, level) for word in words) <= most
    )
    level = next(fitting, levels[-1])
    both = (f"{quoted(strong(one, 1))} & {quoted(strong(other, 1))}" for one, other in combinations(words, 2))
    return " | ".join((f"({_any(strong(word, level) for word in words)}) & {every}", *both))


def _at(word: str, level: int, counts: Mapping[str, float]) -> float:
    """Documents where the word is as strong as that; level 0: where it is at all."""
    return counts[strong(word, level) if level else word]


def _any(words: Iterable[str]) -> str:
    return " | ".join(map(quoted, words))
