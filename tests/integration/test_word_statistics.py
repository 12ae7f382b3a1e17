"""How frequent words are is read in bounded time: from a sample, from a smaller one, or a search does without."""

import time
from collections.abc import Iterator

import pytest
from django.db import transaction

from embeddings_app.records.sql import execute, row
from embeddings_app.records.word_statistics import WordStatistics, small_statistics, word_statistics
from embeddings_app.records.words import strong
from embeddings_app.services.search.held_statistics import HeldStatistics, Way
from embeddings_app.services.search.text_half import search_words
from embeddings_app.services.search.text_query import TextAsked
from tests.integration.indexing_steps import unhurried
from tests.integration.word_steps import filled, query, space

pytestmark = pytest.mark.usefixtures("database")
LARGE, SMALL = 7, 8
DOCUMENTS = 20_000


def vacuum() -> None:
    """Again and again until no transaction of another thread sees less: only then counts read no more than an index."""
    until, whole = time.monotonic() + 60, False
    while not whole:
        assert time.monotonic() < until
        execute("VACUUM (ANALYZE, DISABLE_PAGE_SKIPPING) document_words")
        (whole,) = row("SELECT relallvisible >= relpages FROM pg_class WHERE oid = 'document_words'::regclass")


@pytest.fixture
def large(database: str) -> Iterator[None]:
    """A namespace with most of the words, and some documents of another one between its own. Every second document has
    `fox`, which is strong in every fourth; the newer half have `late`."""
    with unhurried():
        _fill()
        vacuum()
    yield
    execute("TRUNCATE document_words")


def _fill() -> None:
    execute(
        f"""
        INSERT INTO document_words (document_id, namespace_id, words, length)
        SELECT n, space, array_to_tsvector(ARRAY[' ' || space, repeat('x', 600)]
            || CASE WHEN n % 2 = 0 THEN ARRAY['fox'] ELSE ARRAY[]::text[] END
            || CASE WHEN n > {DOCUMENTS} / 2 THEN ARRAY['late'] ELSE ARRAY[]::text[] END
            || CASE WHEN n % 4 = 0 THEN ARRAY[' +fox'] ELSE ARRAY[]::text[] END), 2
        FROM (SELECT n, CASE WHEN n % 7 = 0 THEN {SMALL} ELSE {LARGE} END AS space
              FROM generate_series(1, {DOCUMENTS}) AS n) AS every_one
        """
    )


def sleeps(_key: int) -> WordStatistics:
    execute("SELECT pg_sleep(60)")
    raise AssertionError("it slept on")


def reads() -> tuple[int, int]:
    """Of this transaction: times the table was read through, and rows that an index led to."""
    found: tuple[int, int] = row(
        "SELECT seq_scan, idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'document_words'"
    )
    return found


@pytest.mark.usefixtures("large")
def test_a_sample_is_drawn_without_a_read_of_the_table() -> None:
    with transaction.atomic():
        before = reads()
        found = word_statistics(LARGE)
        scanned, by_index = (now - earlier for now, earlier in zip(reads(), before, strict=True))
    assert (scanned, by_index < DOCUMENTS / 2) == (0, True)
    assert found.documents == DOCUMENTS - DOCUMENTS // 7
    assert found.shares["fox"] == pytest.approx(0.5, abs=0.1)


@pytest.mark.usefixtures("large")
def test_of_more_documents_than_are_counted_new_ones_are_drawn_too_and_their_number_is_estimated() -> None:
    found = word_statistics(LARGE, cap=4_000)
    assert found.documents == pytest.approx(DOCUMENTS * 6 / 7, rel=0.1)
    assert found.shares["late"] == pytest.approx(0.5, abs=0.1)


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("namespace_key", [LARGE, SMALL])
def test_a_small_sample_reads_few_documents_and_says_as_much(namespace_key: int) -> None:
    with transaction.atomic():
        _, before = reads()
        found = small_statistics(namespace_key)
        _, by_index = reads()
    assert by_index - before < 1_000
    assert found.shares["fox"] == pytest.approx(0.5, abs=0.2)
    assert found.shares[strong("fox", 1)] == pytest.approx(0.25, abs=0.2)
    assert found.documents == pytest.approx(word_statistics(namespace_key).documents, rel=0.2)


@pytest.mark.usefixtures("large")
def test_what_takes_too_long_is_ended_and_a_smaller_sample_follows() -> None:
    known = HeldStatistics((Way(sleeps, 0.2), Way(small_statistics, 30.0)))
    assert known.of(LARGE, 60.0).shares["fox"] == pytest.approx(0.5, abs=0.2)


def test_a_search_finds_without_statistics() -> None:
    filled()
    known = HeldStatistics((Way(sleeps, 0.1),))
    for _ in range(2):
        hits = search_words(query(TextAsked(words="foxes at night")), space(), time.monotonic() + 10, known).hits
        assert [hit.doc_id for hit in hits] == ["fox", "owl", "long"]
