"""Words are written with their documents, or follow in the background, and a text query finds by them."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from django.db import connection

from embedding_project.contracts.errors import ServiceError, Unavailable
from embeddings_app import registry
from embeddings_app.api.requests.searches import search_request
from embeddings_app.records import words
from embeddings_app.records.highlights import pieces
from embeddings_app.records.sql import execute
from embeddings_app.records.topology import read_topology
from embeddings_app.records.word_statistics import word_statistics
from embeddings_app.services import namespaces
from embeddings_app.services.documents import positions
from embeddings_app.services.documents.deleting import delete
from embeddings_app.services.documents.namespace_changes import create, drop, empty_dropped
from embeddings_app.services.documents.namespace_status import namespace_status
from embeddings_app.services.documents.text_search_setting import follow_settings, set_text_search
from embeddings_app.services.documents.upserting import upsert
from embeddings_app.services.search import searching, text_half
from embeddings_app.services.search.halves import WORDS_SECONDS, vector_due
from embeddings_app.services.search.stopwatch import Stopwatch
from embeddings_app.services.search.text_half import search_words
from embeddings_app.services.search.text_query import TextAsked
from tests.integration.held_documents import held_documents
from tests.integration.indexing_steps import NAMESPACE, document, index, put, request, rows
from tests.integration.word_steps import TEXTS, filled, found, query, search, space

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture(autouse=True)
def fresh_statistics() -> Iterator[None]:
    text_half.forget_statistics()
    yield
    text_half.forget_statistics()


def test_a_write_brings_its_words_a_change_replaces_them_and_a_delete_removes_them() -> None:
    filled()
    assert found("dens") == ["fox"]
    put(("fox", "Foxes sleep in burrows."), ("new", "A den."))
    assert found("den") == ["new"]
    assert found("burrow") == ["fox"]
    delete(NAMESPACE, "fox")
    assert found("burrow") == []
    assert rows("SELECT count(*) FROM document_words") == rows("SELECT count(*) FROM document WHERE NOT deleted")


def test_the_words_of_long_texts_are_written_in_several_statements() -> None:
    """However many texts one request brings, none of its statements takes long."""
    filled()
    written: list[int] = []

    def note(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if "INSERT INTO document_words" in sql:
            written.append(len(params[0]))
        return execute(sql, params, many, context)

    long = "heron " * (words.MOST_BYTES // 6 // 3 + 1)
    with connection.execute_wrapper(note):
        put(*((f"long{number}", f"{long} {number}") for number in range(7)))
    assert written == [3, 3, 1]
    assert len(found("heron")) == 7


def test_rare_and_repeated_words_and_short_texts_rank_first() -> None:
    filled()
    assert found("foxes at night") == ["fox", "owl", "long"]
    scores = [hit.score for hit in search("foxes at night").hits]
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] > 0


def test_the_language_decides_which_forms_are_one_word() -> None:
    filled("simple")
    assert found("hunt") == ["owl"]
    assert found("HUNTS") == ["fox"]
    set_text_search(NAMESPACE, "english", "test")
    follow_settings(time.monotonic() + 10)
    assert set(found("hunted")) == {"fox", "owl"}


@pytest.mark.parametrize(
    ("language", "text", "words"),
    [
        ("simple", "ÜBER allem", "über"),
        ("german", "Die HÄUSER am Hafen", "Haus"),
        ("russian", "МОСКВА", "москве"),  # noqa: RUF001
    ],
)
def test_capitals_of_every_alphabet_are_known(language: str, text: str, words: str) -> None:
    filled(language, {"a": text, "b": "something else"})
    assert found(words) == ["a"]
    exact = TextAsked(exact=(text.split()[0].lower(),))
    assert [hit.doc_id for hit in search_words(query(exact), space(), time.monotonic() + 10).hits] == ["a"]


def test_parts_say_what_must_stand_there() -> None:
    filled()
    assert set(found(phrases=["live in"])) == {"fox", "owl"}
    assert set(found(phrases=["hunts at night"])) == {"fox", "owl"}
    assert found(phrases=["night hunt"]) == []
    assert found(prefixes=["burr"]) == []
    assert set(found(prefixes=["heat"])) == {"error", "other error", "long"}
    assert found(exact=["err-1234"]) == ["error"]
    assert found("heater", exact=["ERR-1234"]) == ["error"]
    assert found(exact=["C++"]) == ["c"]
    assert found("night", without="fox") == ["owl", "long"]
    assert found("live night tree", all_words=True) == ["owl"]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("use the <script> tag to load it", ["script", "<script>", "tag", "load it"]),
        ("if a <bee and cee> dee &amp; <T extends Bar>", ["bee", "cee>", "extends Bar", "amp"]),
        ("see ERR-1234, v1.2.3 and -5", ["1234", "ERR", "v1.2", "2.3", "3", "5", "-5"]),
        ("at https://x.y/z?q=1 in /usr/bin/zed by joe@bar.com", ["x.y", "q=1", "bin", "/usr/bin", "joe", "bar.com"]),
        ("a state-of-the-art foo_bar.py", ["state", "of-the", "art", "py", "foo_bar.py"]),
        ("she said “fox”\u2014and «owl»\u2026 ¿que? don\u2019t\u00a0go", ["fox", "and", "owl", "que", "go", "«owl»"]),
        ("什么\uff08括号\uff09\u3002\u3000完", ["括号", "完"]),
        ("café, naïve Ωmega ½", ["café", "naïve", "Ωmega"]),
    ],
)  # fmt: skip
def test_signs_hide_no_word(text: str, parts: list[str]) -> None:
    filled("simple", {"it": text, "other": "nothing of it all"})
    for part in parts:
        for asked in ({"exact": [part]}, {"phrases": [part]}, {"prefixes": [part]}, {"all_words": True, "text": part}):
            assert "it" in found(**asked), (part, asked)


def test_pieces_are_as_they_stand_in_the_text() -> None:
    text = "<mark>fox</mark> &lt;\ufdd0fox\ufdd1&gt; <script>C++ (“fox”)"
    filled("simple", {"it": text, "long": f"a fox, {'x' * 3000} <b>fox</b>"})
    found_pieces = pieces(space().pk, "simple", "'fox'", ["it", "long"])
    (piece,) = found_pieces["it"]
    assert piece.text in text
    assert "</mark> &lt;\ufdd0fox\ufdd1&gt; <script>C++ (“fox" in piece.text
    for one in (*found_pieces["it"], *found_pieces["long"]):
        assert {one.text[begin:end] for begin, end in one.marks} == {"fox"}


@pytest.mark.parametrize(
    "text",
    ["'", "''", "\\", "\\'", "a & | ! ( ) <-> :*", "<", "%s %(q0)s {0}", "\u00e9\U0001f98a", "' 1", "*", "x" * 400,
     "\ufdd0", "(?<![[:alnum:]])", "$$", "-- ;", ":*", "a:b*c"],
)  # fmt: skip
def test_no_text_of_a_query_can_fail(text: str) -> None:
    filled(texts={"it": f"a word and {text} here"})
    short = text[:500]
    search(text)
    search("word", without=text)
    search(phrases=[short], prefixes=[short], exact=[short])
    assert found("word", exact=[short]) == ["it"] or not short.strip("'\\* ") or text in (":*", "-- ;")


def test_words_that_a_language_leaves_out_are_said() -> None:
    filled()
    nothing = search("the of and")
    assert (nothing.hits, len(nothing.warnings)) == ((), 1)


def test_filters_hold_also_those_that_only_the_service_can_judge() -> None:
    create(NAMESPACE, None, store_text=True, text_search="simple", actor="test")
    put(*((f"en{place}", f"fox number {place}") for place in range(30)), metadata={"lang": "en", "page": {"no": 1}})
    put(*((f"de{place}", f"fox nummer {place}") for place in range(3)), metadata={"lang": "de", "page": {"no": 2}})
    assert set(found("fox", filters={"lang": "de"})) == {"de0", "de1", "de2"}
    assert set(found("fox", filters={"page.no": {"gt": 1}})) == {"de0", "de1", "de2"}


def test_other_namespaces_and_expired_documents_are_not_found() -> None:
    filled()
    create("elsewhere", None, store_text=True, text_search="english", actor="test")
    assert found("fox") == ["fox"]
    rows("UPDATE document SET expires_at = now() - interval '1 second' WHERE doc_id = 'fox' RETURNING 1")
    assert found("fox") == []
    other = search_words(query(TextAsked(words="fox")), namespaces.namespace("elsewhere"), time.monotonic() + 10)
    assert other.hits == ()


def test_a_namespace_with_most_of_the_words_finds_its_own_alone() -> None:
    """There the mark of the namespace does not choose, and the column of the table does."""
    filled("simple")
    create("elsewhere", None, store_text=True, text_search="simple", actor="test")
    upsert(replace(request(), namespace="elsewhere", documents=(document("stranger", "a fox elsewhere"),)))
    assert not word_statistics(space().pk).of_most
    execute("ANALYZE document_words")
    shares = [word_statistics(namespaces.namespace(name).pk).of_most for name in (NAMESPACE, "elsewhere")]
    assert shares == [True, False]
    text_half.forget_statistics()
    assert found("fox") == ["fox"]
    assert found("the heater said", without="fox") == found("the heater said") != []
    assert found("fox", phrases=("a fox",)) == ["fox"]
    other = search_words(query(TextAsked(words="fox")), namespaces.namespace("elsewhere"), time.monotonic() + 10)
    assert [hit.doc_id for hit in other.hits] == ["stranger"]


def test_documents_that_may_not_be_shown_leave_their_places_to_worse_ones() -> None:
    create(NAMESPACE, None, store_text=True, text_search="simple", actor="test")
    put(*((f"best{place:02}", "fox") for place in range(30)), metadata={"kind": "short"})
    put(*((f"worse{place:02}", f"fox and {place}") for place in range(5)), metadata={"kind": "long"})
    worse = [f"worse{place:02}" for place in range(5)]
    hits = search_words(
        query(TextAsked(words="fox"), top_k=5, filters={"kind": "long"}), space(), time.monotonic() + 10
    )
    assert [hit.doc_id for hit in hits.hits] == worse
    assert hits.report.looked_at == 35
    rows("UPDATE document SET expires_at = now() - interval '1 second' WHERE doc_id LIKE 'best%' RETURNING 1")
    assert [hit.doc_id for hit in search("fox").hits] == worse


def test_a_namespace_without_text_search_says_so() -> None:
    put(*TEXTS.items())
    with pytest.raises(ServiceError) as caught:
        search("fox")
    assert caught.value.code == "text_search_off"
    assert rows("SELECT count(*) FROM document_words") == [(0,)]


def test_what_was_there_is_filled_in_steps_that_go_on_where_they_stopped() -> None:
    put(*TEXTS.items())
    set_text_search(NAMESPACE, "english", "test")
    status = namespace_status(space().name).text_search
    assert (status.language, status.documents, status.complete) == ("english", 0, False)
    assert search("fox").report.incomplete == "filling"
    put(("new", "A fox that came after."))
    assert found("fox") == ["new"]
    ticks = iter([0.0, 0.0, 2.0])
    assert follow_settings(1.0, clock=lambda: next(ticks), chunk=2).documents == 4
    assert namespace_status(NAMESPACE).text_search.documents in (4, 5)
    follow_settings(time.monotonic() + 10, chunk=2)
    status = namespace_status(space().name).text_search
    assert (status.documents, status.complete) == (len(TEXTS) + 1, True)
    assert set(found("fox")) == {"fox", "new"}


def test_of_long_texts_fewer_are_filled_at_a_time() -> None:
    texts = {f"t{place}": "fox " * times for place, times in enumerate((1, 1, 100, 100, 1, 1))}
    put(*texts.items())
    set_text_search(NAMESPACE, "simple", "test")

    def step() -> int:
        ticks = iter([0.0, 2.0])
        return follow_settings(1.0, clock=lambda: next(ticks), most_bytes=100).documents

    assert [step() for _ in range(4)] == [3, 1, 2, 0]
    assert namespace_status(NAMESPACE).text_search.complete
    assert len(found("fox")) == len(texts)


def test_namespaces_take_turns_at_their_words() -> None:
    names = [NAMESPACE, "small", "smaller"]
    for name in names:
        upsert(request(*(document(doc_id, text) for doc_id, text in TEXTS.items()), namespace=name))
        set_text_search(name, "english", "test")

    def filled_of(name: str) -> int:
        return namespace_status(name).text_search.documents

    ticks = iter([0.0, 0.0, 2.0])
    first = follow_settings(1.0, clock=lambda: next(ticks), chunk=2)
    assert [filled_of(name) for name in names] == [2, 2, 0]
    ticks = iter([0.0, 0.0, 2.0])
    follow_settings(1.0, first.last_key, clock=lambda: next(ticks), chunk=2)
    assert [filled_of(name) for name in names] == [4, 2, 2]
    follow_settings(time.monotonic() + 10)
    assert [filled_of(name) for name in names] == [len(TEXTS)] * 3


def test_a_namespace_whose_words_cannot_be_written_keeps_no_other_waiting() -> None:
    names = [NAMESPACE, "small"]
    for name in names:
        upsert(request(*(document(doc_id, text) for doc_id, text in TEXTS.items()), namespace=name))
        set_text_search(name, "english", "test")

    def filled_of(name: str) -> int:
        return namespace_status(name).text_search.documents

    with held_documents(space().pk):
        followed = follow_settings(time.monotonic() + 60)
    assert (followed.documents, followed.problem) == (len(TEXTS), "busy")
    assert [filled_of(name) for name in names] == [0, len(TEXTS)]
    assert follow_settings(time.monotonic() + 60, followed.last_key).problem == ""
    assert [filled_of(name) for name in names] == [len(TEXTS)] * 2


def test_words_go_when_text_search_is_switched_off_or_the_namespace_is_dropped() -> None:
    filled()
    set_text_search(NAMESPACE, "off", "test")
    follow_settings(time.monotonic() + 10, chunk=2)
    assert rows("SELECT count(*) FROM document_words") == [(0,)]
    assert words.unfinished() == []
    set_text_search(NAMESPACE, "simple", "test")
    follow_settings(time.monotonic() + 10)
    drop(NAMESPACE, "test", lambda _: None)
    empty_dropped(10, {})
    assert rows("SELECT count(*) FROM document_words") == [(0,)]


def test_a_namespace_that_keeps_no_texts_keeps_no_words() -> None:
    with pytest.raises(ServiceError) as caught:
        create(NAMESPACE, None, store_text=False, text_search="simple", actor="test")
    assert caught.value.code == "text_not_kept"
    create(NAMESPACE, None, store_text=False, actor="test")
    with pytest.raises(ServiceError) as caught:
        set_text_search(NAMESPACE, "simple", "test")
    assert caught.value.code == "text_not_kept"


def test_a_search_that_takes_too_long_is_ended(database: str) -> None:
    filled()
    asked, where = query(TextAsked(words="fox")), space()
    with psycopg.connect(database) as other:
        other.execute("LOCK TABLE document_words IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(Unavailable) as caught:
            search_words(asked, where, time.monotonic() + 0.2)
    assert caught.value.code == "too_slow"
    assert found("fox") == ["fox"]


def test_a_token_that_the_index_does_not_reach_leaves_the_words_of_both_halves_their_time() -> None:
    filled()
    index()
    current, version_key = read_topology(), registry.active_spec(None).version_key
    token = positions.encode(positions.newest(current, version_key))
    request = search_request({"namespace": NAMESPACE, "mode": "hybrid", "query": "dens", "min_token": token})

    def in_time() -> bool:
        deadline = time.monotonic() + WORDS_SECONDS + 0.5
        times = searching.Times(deadline=deadline, vector_due=vector_due(deadline, words_would_do=True))
        prepared = searching.prepare(request, *searching.asked(request), times, Stopwatch(), {})
        left = deadline - time.monotonic()
        found = searching.answered(prepared, deadline, Stopwatch())
        assert ([hit.doc_id for hit in found.hits], found.vector_fault) == (["fox"], "not_caught_up")
        return left > WORDS_SECONDS

    # A busy machine may take a little of the time, but not every time.
    assert any(in_time() for _ in range(20))
