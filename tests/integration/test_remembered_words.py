"""What a language makes of the words of queries, remembered."""

import random
from collections.abc import Callable

import pytest
from django.db import connection

from embedding_project.contracts.languages import LANGUAGES
from embeddings_app.records.text_search import analysed
from embeddings_app.services.search.remembered_words import RememberedWords

pytestmark = pytest.mark.usefixtures("database")

PIECES = (
    "Foxes",
    "hunting",
    "the",
    "1e5",
    "0x1f",
    "c3po",
    "v2",
    "12",
    "007",
    "ÉCOLE",
    "straße",
    "日本語",
    "ไทย",
    "e\u0301",
    "\u1680",
    "ªº",
)
SIGNS = (" ", "  ", "\t", "\n", ".", "-", "/", "@", "<", "&amp;", "_", "'", "\u00a0", "\u2028", "\u3000", "\u2014")


def asked_anything(work: Callable[[], object]) -> bool:
    """Whether the work needs Postgres."""
    connection.close()
    work()
    return connection.connection is not None


def test_words_one_by_one_are_those_of_the_text() -> None:
    draw, remembered = random.Random(1), RememberedWords()
    for language in LANGUAGES * 20:
        text = "".join(draw.choice(draw.choice((PIECES, SIGNS))) for _ in range(draw.randrange(24)))
        alone = analysed(language, text, (), (), (), "").words
        assert sorted(remembered.of(language, text)) == sorted(alone), (language, text)


def test_a_word_is_asked_for_once() -> None:
    remembered = RememberedWords()
    assert remembered.of("english", "Foxes, the fox") == ("fox",)
    assert not asked_anything(lambda: remembered.of("english", "the Foxes"))
    assert remembered.of("simple", "the Foxes") == ("the", "foxes")


def test_few_and_short_words_are_remembered() -> None:
    remembered = RememberedWords(most=2)
    for words in ("fox", "owl", "night den tree", f"x{'y' * 64}"):
        assert remembered.of("simple", words) == tuple(words.split())
    assert asked_anything(lambda: remembered.of("simple", "fox"))
    assert asked_anything(lambda: remembered.of("simple", f"x{'y' * 64}"))
    assert not asked_anything(lambda: remembered.of("simple", "fox"))
