"""Of what words find, a bounded number of documents is ranked: first those where the words meet or are strong."""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from embeddings_app.records.filter_sql import narrowing
from embeddings_app.records.sql import execute
from embeddings_app.records.text_search import Term, TextLook, best_documents, quoted
from embeddings_app.records.word_statistics import WordStatistics
from embeddings_app.records.words import STRONG_TIMES, strong
from embeddings_app.services.documents.deleting import delete
from embeddings_app.services.documents.namespace_changes import create
from embeddings_app.services.search import text_half
from embeddings_app.services.search.held_statistics import HeldStatistics, Way
from embeddings_app.services.search.text_half import search_words
from embeddings_app.services.search.text_query import TextAsked
from tests.integration.indexing_steps import NAMESPACE, put, rows
from tests.integration.word_steps import filled, found, query, search, space

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture(autouse=True)
def fresh_statistics() -> Iterator[None]:
    text_half.forget_statistics()
    yield
    text_half.forget_statistics()


def look(*queries: str, spare: tuple[str, ...] = ()) -> TextLook:
    return TextLook(
        namespace_key=space().pk,
        version_key=1,
        of_most=False,
        queries=queries,
        spare=spare,
        enough=3,
        terms=(Term(query="'fox'", weight=1.0),),
        mean_length=3.0,
        exact=(),
        narrowing=narrowing(None),
        most_ranked=3,
        fetch=10,
        with_metadata=False,
        with_text=False,
        with_vector=False,
    )


def test_documents_of_the_first_query_are_looked_at_first_and_no_more_than_so_many() -> None:
    create(NAMESPACE, None, store_text=True, text_search="simple", actor="test")
    put(
        *((f"a{place:02}", f"fox number {place}") for place in range(20)),
        ("b1", "a fox and an owl"),
        ("b2", "owl, fox"),
    )
    first = look("'fox' & 'owl'", spare=("'fox'",))
    looked = best_documents(replace(first, enough=3))
    assert looked.ranked == 3
    assert {"b1", "b2"} < {one.doc_id for one in looked.found}
    assert {one.doc_id for one in best_documents(replace(first, enough=2)).found} == {"b1", "b2"}


def test_a_word_is_strong_where_it_stands_often_or_among_few() -> None:
    create(NAMESPACE, None, store_text=True, text_search="simple", actor="test")
    many = " ".join(f"w{place}" for place in range(40))
    put(("often", f"{'fox ' * 6}{many}"), ("short", "the fox"), ("weak", f"fox {many}"))
    strengths = [
        [one.doc_id for one in best_documents(look(quoted(strong("fox", level)))).found]
        for level in range(1, len(STRONG_TIMES) + 1)
    ]
    assert strengths == [["short", "often"], ["often"], ["often"], []]
    assert rows("SELECT length FROM document_words ORDER BY document_id") == [(41,), (2,), (41,)]


def test_of_a_word_that_too_many_documents_have_the_best_are_found() -> None:
    create(NAMESPACE, None, store_text=True, text_search="simple", actor="test")
    many = " ".join(f"w{place}" for place in range(40))
    put(*((f"weak{place:02}", f"fox {place} {many}") for place in range(40)))
    put(("best", f"{'fox ' * 6}{many}"), ("second", f"{'fox ' * 4}{many}"))
    asked = replace(query(TextAsked(words="fox"), top_k=1), most_ranked=11)
    hits = search_words(asked, space(), time.monotonic() + 10)
    assert [hit.doc_id for hit in hits.hits][:2] == ["best", "second"]
    assert (hits.report.looked_at, hits.report.incomplete) == (11, "too_many")
    put(("second", f"nothing but {many}"))
    delete(NAMESPACE, "best")
    text_half.forget_statistics()
    hits = search_words(asked, space(), time.monotonic() + 10)
    assert len(hits.hits) == 5
    assert {hit.doc_id for hit in hits.hits} < {f"weak{place:02}" for place in range(40)}


def test_of_a_word_that_the_sample_lacks_and_too_many_documents_have_the_best_are_found() -> None:
    create(NAMESPACE, None, store_text=True, text_search="simple", actor="test")
    many = " ".join(f"w{place}" for place in range(40))
    put(*((f"weak{place:02}", f"fox {place} {many}") for place in range(40)))
    put(("best", f"{'fox ' * 6}{many}"), ("second", f"{'fox ' * 4}{many}"))
    unseen = WordStatistics(documents=10_000, mean_length=42.0, shares={}, levels=(0.1, 0.5, 0.5, 0.5))
    known = HeldStatistics((Way(lambda _key: unseen, 10.0),))
    asked = replace(query(TextAsked(words="fox"), top_k=1), most_ranked=11)
    hits = search_words(asked, space(), time.monotonic() + 10, known)
    assert [hit.doc_id for hit in hits.hits][:2] == ["best", "second"]


def test_words_of_an_older_release_are_found_and_ranked() -> None:
    filled()
    before = [(hit.doc_id, round(hit.score, 3)) for hit in search("foxes at night").hits]
    execute(
        """
        UPDATE document_words w SET length = NULL, words = to_tsvector('english', d.text)
            || array_to_tsvector(ARRAY[' ' || d.namespace_id]) FROM document d WHERE d.id = w.document_id
        """
    )
    text_half.forget_statistics()
    found_now = search("foxes at night").hits
    assert [hit.doc_id for hit in found_now] == [doc_id for doc_id, _ in before]
    asked = replace(query(TextAsked(words="night"), top_k=2), most_ranked=2)
    assert len(search_words(asked, space(), time.monotonic() + 10).hits) >= 2


def test_words_that_an_older_release_changes_have_their_own_length() -> None:
    filled("simple", {"it": "fox and owl", "same": "den"})
    # As it writes a text of five words, and one of as many as before.
    for doc_id, text in (("it", "a text of five words"), ("same", "dens")):
        execute(
            """
            INSERT INTO document_words (document_id, namespace_id, words)
            SELECT id, namespace_id, array_to_tsvector(ARRAY[' ' || namespace_id]) || to_tsvector('simple', %s)
            FROM document WHERE doc_id = %s
            ON CONFLICT (document_id) DO UPDATE SET words = EXCLUDED.words
            """,
            [text, doc_id],
        )
    assert rows("SELECT length FROM document_words ORDER BY document_id") == [(5,), (1,)]
    put(("it", "fox fox fox hen pig"), ("same", "owl owl owl"))
    assert rows("SELECT length FROM document_words ORDER BY document_id") == [(3,), (1,)]


def test_a_text_of_the_longest_words_can_be_written() -> None:
    filled("simple", {"it": f"{'x' * 2046} {'y' * 2046} {'z' * 300} fox"})
    assert found("fox") == found("z" * 300) == ["it"]
