"""The plan of a search by words: rare words choose documents, frequent ones only rank them."""

from embeddings_app.records.text_search import Analysed
from embeddings_app.records.words import STRONG_TIMES, strong
from embeddings_app.services.search.text_query import MOST_RANKED, MOST_WORDS, TextAsked, TextPlan, plan


def parts(*words: str, **others: tuple[str, ...]) -> Analysed:
    found: dict[str, tuple[str, ...]] = {"phrases": (), "prefixes": (), "bound": (), "without": (), **others}
    return Analysed(words=words, **found)


def planned(counts: dict[str, float], documents: int = 1_000_000, asked: TextAsked | None = None) -> TextPlan:
    return plan(asked or TextAsked(), parts(*counts), with_levels(counts), documents)


def with_levels(counts: dict[str, float]) -> dict[str, float]:
    """Of a tenth of the documents each."""
    levels = range(1, len(STRONG_TIMES) + 1)
    return counts | {strong(word, level): count / 10 for word, count in counts.items() for level in levels}


def test_words_choose_while_their_documents_are_few() -> None:
    made = planned({"fox": 100, "den": 1_300, "night": 4_000, "the": 900_000})
    assert (made.queries, made.spare) == (("('fox' | 'den')", "(' +night')"), ())
    assert (made.words, made.frequent) == (("fox", "den"), ("night",))
    assert [term.query for term in made.terms] == ["'fox'", "'den'", "'night'"]
    weights = [term.weight for term in made.terms]
    assert weights == sorted(weights, reverse=True)


def test_a_word_of_many_documents_of_a_small_namespace_chooses_too() -> None:
    assert planned({"fox": 1, "night": 30}, documents=40).frequent == ()
    assert planned({"fox": 50, "night": 1_200}, documents=1_400).words == ("fox",)


def test_what_must_not_be_there_counts_for_every_query() -> None:
    counts = with_levels({"night": 90_000, "day": 80_000})
    made = plan(TextAsked(without="fox"), parts("night", "day", without=("fox",)), counts, 1_000_000)
    every = (*made.queries, *made.spare)
    assert len(every) == 4
    assert every[-1] == "('day') & !'fox'"
    assert all(query.startswith("(") and query.endswith(") & !'fox'") for query in every)


def test_a_word_that_is_in_most_documents_counts_when_there_is_no_other() -> None:
    made = planned({"the": 900_000, "of": 950_000})
    assert made.words == ("the",)


def test_the_rarest_words_of_a_long_query_count() -> None:
    made = planned({f"w{place}": float(place) for place in range(100)})
    assert len(made.terms) == MOST_WORDS
    assert made.words == tuple(f"w{place}" for place in range(MOST_WORDS))
    assert sum(range(MOST_WORDS)) < MOST_RANKED


def test_parts_that_must_be_there_choose_alone_and_other_words_rank() -> None:
    asked = TextAsked(words="fox", phrases=("red den",), prefixes=("hib",), without="cat")
    found = parts("fox", phrases=("'red' <-> 'den'",), prefixes=("'hib':*",), bound=("den", "red"), without=("cat",))
    made = plan(asked, found, {"fox": 5, "den": 1, "red": 2}, 100)
    assert made.queries == ("('red' <-> 'den' & 'hib':* & 'den' & 'red') & !'cat'",)
    assert [term.query for term in made.terms] == ["'den'", "'red'", "'fox'", "'hib':*"]


def test_all_words_must_be_there_when_asked_for() -> None:
    made = planned({"fox": 5, "the": 900_000}, asked=TextAsked(words="fox the", all_words=True))
    assert made.queries == ("('fox' & 'the')",)


def test_without_any_word_nothing_is_looked_for_but_what_is_exact() -> None:
    assert plan(TextAsked(words="the"), parts(), {}, 100).queries == ()
    assert plan(TextAsked(without="fox"), parts(without=("fox",)), {}, 100).queries == ()
    assert plan(TextAsked(exact=("++",)), parts(), {}, 100).queries == ("",)
    assert plan(TextAsked(exact=("++",), without="fox"), parts(without=("fox",)), {}, 100).queries == ("!'fox'",)
