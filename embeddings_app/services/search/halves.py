"""A search by meaning, by words, or by both: then the words are searched beside the meaning, and the two rankings are
fused.

Where one half of two does not answer, the other one is an answer in part.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from django.db import close_old_connections

from embedding_project.contracts.errors import Unavailable
from embedding_project.threads.beside import Begun, Beside, unbegun
from embeddings_app.models import Namespace
from embeddings_app.services.search.fusing import Weights, fused
from embeddings_app.services.search.hydration import SearchHit
from embeddings_app.services.search.rounds import Round
from embeddings_app.services.search.stopwatch import Stopwatch
from embeddings_app.services.search.text_half import TextHits, TextReport, WordQuery, search_words
from embeddings_app.services.search.tickets import SearchTicket
from embeddings_app.services.search.version_search import VectorQuery, search_version
from embeddings_app.services.topology import topology

WORDS_SECONDS = 0.7
"""How long a search by words and meaning waits for the words."""
_ANSWER_SECONDS = 0.1
"""Of the time of a search, kept to make an answer of what was found."""
_SEARCHED_BESIDE = 4
"""Searches by words that go on beside their searches by meaning; each has a connection of its own."""
_LATE_SECONDS = 1.0
"""A query is ended within this time after its deadline."""


def vector_due(deadline: float, *, words_would_do: bool) -> float:
    """When the vector of a search must be there, so that there is time left for what comes after it."""
    return deadline - WORDS_SECONDS - _ANSWER_SECONDS if words_would_do else deadline


@dataclass(frozen=True, slots=True, kw_only=True)
class Halves:
    """What to search; at least one of the two."""

    space: Namespace
    vector: VectorQuery | None
    vector_fault: Unavailable | None
    """Why there is no vector, where there should be one."""
    words: "Words | None"
    weights: Weights
    min_score: float | None
    """Of hits by meaning."""
    allow_partial: bool
    fused: int | None
    """How many of the best of both are made hits; None for all."""

    @property
    def both(self) -> bool:
        return self.words is not None and (self.vector is not None or self.vector_fault is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A search by words, which may be under way."""

    query: WordQuery
    hits: Begun[TextHits]


def begin_words(query: WordQuery, space: Namespace, deadline: float, watch: Stopwatch, *, beside: bool) -> Words:
    """`beside`: whether they are searched while the caller does something else, and then in little time."""

    def search() -> TextHits:
        until = deadline - _ANSWER_SECONDS
        if beside:
            until = min(until, time.monotonic() + WORDS_SECONDS)
        with watch.stage("words"):
            return search_words(query, space, until)

    return Words(query=query, hits=_beside().begin(search) if beside else unbegun(search))


@cache
def _beside() -> Beside:
    return Beside("words", _SEARCHED_BESIDE, at_end=close_old_connections)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    hits: Sequence[SearchHit]
    """Best first."""
    exhausted: bool
    """Whether these are all that there are: a wider look could find no other."""
    shards: int
    failed: tuple[int, ...]
    text: TextReport | None = None
    vector_fault: str | None = None
    marked: str = ""
    """A query of Postgres for the words to mark in texts; empty for none."""
    warnings: tuple[str, ...] = ()


def find(halves: Halves, deadline: float, watch: Stopwatch, carried: SearchTicket | None = None) -> Found:
    """Raises ServiceError, DatabaseError."""
    nearest, fault = _nearest(halves, deadline, watch, carried)
    words, words_fault = _words(halves, deadline)
    if fault and words_fault:
        raise fault
    shards, failed = (nearest.shards, nearest.failed) if nearest else _silent(fault)
    near = _near_enough(halves, nearest)
    all_near = halves.vector is None and not fault
    if nearest is not None:
        all_near = not nearest.failed and (not nearest.may_have_more or len(near) < len(nearest.hits))
    if words is None:
        text = _too_slow(halves) if words_fault else None
        return Found(hits=near, exhausted=all_near and not words_fault, shards=shards, failed=failed, text=text)
    hits: Sequence[SearchHit] = words.hits
    if halves.both:
        hits = _fused(near, words.hits, halves)
    return Found(
        hits=hits,
        exhausted=all_near and _all_with_words(halves, words),
        shards=shards,
        failed=failed,
        text=words.report,
        vector_fault=fault.code if fault else None,
        marked=words.marked,
        warnings=words.warnings,
    )


def _words(halves: Halves, deadline: float) -> tuple[TextHits | None, Unavailable | None]:
    if halves.words is None:
        return None, None
    try:
        return halves.words.hits.result(max(deadline - time.monotonic(), 0) + _LATE_SECONDS), None
    except TimeoutError as error:
        fault = Unavailable("too_slow")
        fault.__cause__ = error
    except Unavailable as error:
        fault = error
    if not halves.both or not halves.allow_partial:
        raise fault
    return None, fault


def _nearest(
    halves: Halves, deadline: float, watch: Stopwatch, carried: SearchTicket | None
) -> tuple[Round | None, Unavailable | None]:
    if halves.vector is None:
        return None, halves.vector_fault
    try:
        return search_version(halves.vector, deadline, watch, carried), None
    except Unavailable as error:
        if not halves.both or not halves.allow_partial:
            raise
        return None, error


def _all_with_words(halves: Halves, words: TextHits) -> bool:
    return halves.words is not None and words.report.incomplete is None and len(words.hits) < halves.words.query.top_k


def _near_enough(halves: Halves, nearest: Round | None) -> list[SearchHit]:
    hits = nearest.hits if nearest else []
    return [hit for hit in hits if halves.min_score is None or hit.score >= halves.min_score]


def _silent(fault: Unavailable | None) -> tuple[int, tuple[int, ...]]:
    """Shards and those that did not answer, of a search by words alone."""
    shards = topology().shards if fault else 0
    return shards, tuple(range(shards))


def _too_slow(halves: Halves) -> TextReport:
    return TextReport(language=halves.space.text_search, incomplete="too_slow")


def _fused(near: Sequence[SearchHit], by_words: Sequence[SearchHit], halves: Halves) -> list[SearchHit]:
    # What both found is shown as the search by meaning shows it, which also knows whether its vector is stale.
    hits = {hit.doc_id: hit for hit in (*by_words, *near)}
    rankings = {"vector": [hit.doc_id for hit in near], "text": [hit.doc_id for hit in by_words]}
    weights = {"vector": halves.weights.vector, "text": halves.weights.text}
    return [
        replace(hits[one.doc_id], score=one.score, ranks=one.ranks) for one in fused(rankings, weights, halves.fused)
    ]
