"""The search by words: the best documents of a namespace by BM25, within a time and a number of documents.

1. what the language makes of the query  2. how frequent its words are  3. the plan  4. one statement that finds, ranks
and verifies. What Postgres cannot judge of a filter is judged here.
"""

import time
from dataclasses import dataclass

from django.db import OperationalError
from psycopg import errors

from embedding_project.contracts.errors import ServiceError, Unavailable
from embedding_project.contracts.filters import Filter, matches
from embedding_project.contracts.languages import OFF
from embedding_project.contracts.metadata import flatten
from embedding_project.contracts.vectors import from_bytes
from embeddings_app.database.patience import answered_by
from embeddings_app.models import Namespace
from embeddings_app.records import text_search
from embeddings_app.records.filter_sql import narrowing
from embeddings_app.records.text_search import Analysed, FoundText, Looked, TextLook
from embeddings_app.records.word_statistics import WordStatistics
from embeddings_app.records.words import strong
from embeddings_app.services.search.held_statistics import HeldStatistics
from embeddings_app.services.search.hydration import SearchHit
from embeddings_app.services.search.remembered_words import RememberedWords
from embeddings_app.services.search.text_query import FILTERED_TIMES, MOST_RANKED, TextAsked, TextPlan, plan, words_of

_STATISTICS_SHARE = 0.5
"""Of the time of a search, to wait for how frequent words are."""
_SPARE_HITS = 4
_ENOUGH_TIMES = 2
"""Documents to rank for each that is wanted, before any that are no better than others."""
_INEXACT_TIMES, _INEXACT_MOST = 8, 1_000
"""Documents to read for each that is wanted, and at most, where Postgres cannot judge the filter."""
_NO_WORD = "the text query has no word that the language of the namespace keeps"


@dataclass(frozen=True, slots=True, kw_only=True)
class WordQuery:
    """What is asked of the words of one namespace."""

    asked: TextAsked
    top_k: int
    wanted: int
    """So many hits are shown; further ones, up to `top_k`, help to rank if they are among the best."""
    filter: Filter | None
    include: frozenset[str]
    """Of `metadata`, `text` and `vector`."""
    version_key: int
    dimension: int
    """Of the vectors of the version."""
    most_ranked: int = MOST_RANKED
    """Documents whose scores are computed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextReport:
    """How the search by words went."""

    language: str
    words: tuple[str, ...] = ()
    """Those that chose documents, as the language has them."""
    frequent: tuple[str, ...] = ()
    """Those that too many documents have: beside the others they chose a few at most, and added to scores."""
    looked_at: int = 0
    """Documents."""
    incomplete: str | None = None
    """Why documents may be missing: filling, too_many, too_slow; None when none is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextHits:
    hits: tuple[SearchHit, ...]
    report: TextReport
    marked: str = ""
    """A query of Postgres for the words to mark in texts; empty for none."""
    warnings: tuple[str, ...] = ()


_statistics = HeldStatistics()
_remembered = RememberedWords()


def forget_statistics() -> None:
    """For tests."""
    _statistics.clear()


def search_words(query: WordQuery, space: Namespace, deadline: float, known: HeldStatistics = _statistics) -> TextHits:
    """The best documents, `top_k` or somewhat more, by `deadline` (monotonic seconds). Raises text_search_off, and
    Unavailable too_slow."""
    if space.text_search == OFF:
        raise ServiceError("text_search_off", f"namespace {space.name!r} keeps no words", field="mode")
    try:
        with answered_by(deadline):
            return _search(query, space, known.of(space.pk, _STATISTICS_SHARE * (deadline - time.monotonic())))
    except OperationalError as error:
        if isinstance(error.__cause__, errors.QueryCanceled) and time.monotonic() >= deadline:
            raise Unavailable("too_slow") from error
        raise


def _search(query: WordQuery, space: Namespace, statistics: WordStatistics) -> TextHits:
    asked = query.asked
    parts = _analysed(space.text_search, asked)
    fetch = query.top_k + _SPARE_HITS
    searched = query.filter is not None or bool(asked.exact)
    most_ranked = max(query.most_ranked * (FILTERED_TIMES if searched else 1), _ENOUGH_TIMES * fetch)
    counts = _counts(space, parts, statistics, most_ranked)
    made = plan(asked, parts, counts, statistics.documents, most_ranked)
    filling = None if space.words_reached is None else "filling"
    if not made.queries:
        report = TextReport(language=space.text_search, incomplete=filling)
        return TextHits(hits=(), report=report, warnings=(_NO_WORD,))
    narrowed = narrowing(query.filter)
    look = TextLook(
        namespace_key=space.pk,
        version_key=query.version_key,
        of_most=statistics.of_most,
        queries=made.queries,
        spare=made.spare,
        # Of those that a filter is to pass, nobody knows how many are enough.
        enough=most_ranked if searched else min(_ENOUGH_TIMES * (query.wanted + _SPARE_HITS), most_ranked),
        terms=made.terms,
        mean_length=statistics.mean_length,
        exact=asked.exact,
        narrowing=narrowed,
        most_ranked=most_ranked,
        fetch=fetch if narrowed.exact else min(_INEXACT_TIMES * fetch, max(_INEXACT_MOST, fetch)),
        with_metadata="metadata" in query.include or not narrowed.exact,
        with_text="text" in query.include,
        with_vector="vector" in query.include,
    )
    looked = text_search.best_documents(look)
    passing = [one for one in looked.found if narrowed.exact or _passes(query.filter, one)]
    incomplete = filling or _too_many(look, looked, len(passing), query.top_k)
    return TextHits(
        hits=tuple(_hit(one, query) for one in passing),
        report=_report(space, made, looked, incomplete),
        marked=" | ".join(term.query for term in made.terms),
    )


def _analysed(language: str, asked: TextAsked) -> Analysed:
    if asked.phrases or asked.prefixes or asked.exact or asked.without:
        return text_search.analysed(language, asked.words, asked.phrases, asked.prefixes, asked.exact, asked.without)
    return Analysed(words=_remembered.of(language, asked.words), phrases=(), prefixes=(), bound=(), without=())


def _counts(space: Namespace, parts: Analysed, statistics: WordStatistics, most_ranked: int) -> dict[str, float]:
    """Word -> documents of the namespace that have it: by the sample, and counted where it has too few. And where it
    has each level of strength: there, what holds for all words stands in for what the sample does not know."""
    words = words_of(parts)
    unseen = [word for word in words if word not in statistics.shares][:_MOST_COUNTED]
    # One more than may be ranked, so that a word of more documents is not taken for one of just so many.
    counted = text_search.count_with(
        space.pk, [text_search.quoted(word) for word in unseen], most_ranked + 1, of_most=statistics.of_most
    )
    known = {word: statistics.shares[word] * statistics.documents for word in words if word in statistics.shares}
    # Of a query longer than any that people write, words beyond those that are counted count as rare.
    counts = dict.fromkeys(words, 0.0) | known | dict(zip(unseen, counted, strict=True))
    for word in words:
        documents = counts[word]
        for level, share in enumerate(statistics.levels, 1):
            mine = strong(word, level)
            seen = statistics.shares.get(mine)
            documents = documents * share if seen is None else seen * statistics.documents
            counts[mine] = documents
    return counts


_MOST_COUNTED = 64


def _passes(filter_: Filter | None, one: FoundText) -> bool:
    return filter_ is None or matches(filter_, flatten(one.metadata or {}))


def _too_many(look: TextLook, looked: Looked, passing: int, wanted: int) -> str | None:
    filtered_short = len(looked.found) == look.fetch and passing < wanted
    if looked.ranked >= (look.enough if look.spare else look.most_ranked) or filtered_short:
        return "too_many"
    return None


def _report(space: Namespace, made: TextPlan, looked: Looked, incomplete: str | None) -> TextReport:
    return TextReport(
        language=space.text_search,
        words=made.words,
        frequent=made.frequent,
        looked_at=looked.ranked,
        incomplete=incomplete,
    )


def _hit(one: FoundText, query: WordQuery) -> SearchHit:
    return SearchHit(
        doc_id=one.doc_id,
        score=round(one.score, 6),
        metadata=one.metadata if "metadata" in query.include else None,
        text=one.text or None,
        vector=None if one.vector is None else from_bytes(one.vector, query.dimension)[0],
        stale=False,
    )
