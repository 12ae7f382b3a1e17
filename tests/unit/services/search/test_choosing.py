"""Of words that many documents have, those documents are ranked first where the words meet, or are strong."""

import itertools

from embeddings_app.records.words import STRONG_TIMES, strong
from embeddings_app.services.search.choosing import Choice, choice

DOCUMENTS = 1_000_000


def counts(**words: float) -> dict[str, float]:
    """With a tenth of the documents of a word at its first level of strength, and a third of these at each next one."""
    levels = range(1, len(STRONG_TIMES) + 1)
    strengths = {
        strong(word, level): count / 10 / 3 ** (level - 1) for word, count in words.items() for level in levels
    }
    return {**words, **strengths}


def chosen(known: dict[str, float], most: int = 2_000, documents: int = DOCUMENTS) -> Choice:
    rarest = [word for word in known if not word.startswith(" ")]
    return choice(rarest, known, documents, most)


def test_rare_words_choose_all_their_documents_and_frequent_ones_add_the_best_of_theirs() -> None:
    made = chosen(counts(fox=100, den=300, night=9_000, day=90_000))
    assert made.queries == ("'fox' | 'den'", "(' +night' | ' +day') & 'night' & 'day' | ' +night' & ' +day'",
                            "' ++night' | ' ++++day'")  # fmt: skip
    assert (made.words, made.spare) == (("fox", "den"), ())


def test_without_a_rare_word_weaker_and_then_any_documents_follow_where_the_best_are_too_few() -> None:
    made = chosen(counts(night=80_000, day=90_000))
    assert made.queries[-1] == "' +++night' | ' +++day'"
    assert (made.words, made.spare) == (("night", "day"), ("' +night' | ' +day'", "'night'"))


def test_words_meet_where_that_is_few_documents_and_else_where_they_are_strong_besides() -> None:
    assert chosen(counts(night=9_000, day=9_500)).queries[0] == "'night' & 'day'"
    first = chosen(counts(night=80_000, day=90_000)).queries[0]
    assert first == "(' +++night' | ' +++day') & 'night' & 'day' | ' +night' & ' +day'"


def test_three_words_meet_before_the_two_rarest_of_them_do() -> None:
    made = chosen(counts(fox=19_000, night=50_000, day=60_000, moon=70_000))
    assert made.queries[0] == "'fox' & 'night' & 'day'"
    assert made.queries[1].endswith(" & 'fox' & 'night' | ' +fox' & ' +night'")


def test_three_words_meet_first_also_where_two_of_them_seem_to_meet_seldom() -> None:
    """Two words of one phrase meet far more often than their numbers let expect."""
    made = chosen(counts(fox=9_000, night=9_500, day=9_900))
    assert made.queries[:-1] == ("'fox' & 'night' & 'day'", "'fox' & 'night'")


def test_the_more_may_be_ranked_the_weaker_a_word_may_be() -> None:
    found = [chosen(counts(night=90_000), most).queries for most in (100, 1_000, 4_000, 40_000)]
    assert found == [("' ++++night'",), ("' +++night'",), ("' ++night'",), ("' +night'",)]


def test_words_of_most_documents_choose_none_beside_rare_ones() -> None:
    assert chosen(counts(fox=2_000, the=300_000)).queries == ("'fox'",)
    assert chosen(counts(fox=30, night=1_200), documents=1_400).words == ("fox",)


def test_words_of_any_query_choose() -> None:
    """Also of a namespace that was empty when its documents were counted last."""
    sizes = (0, 1, 400, 30_000, 900_000)
    many = itertools.chain.from_iterable(itertools.product(sizes, repeat=number) for number in (1, 2, 3, 4))
    for asked, documents in itertools.product(many, (0, 1, DOCUMENTS)):
        known = counts(**{f"w{place}": float(count) for place, count in enumerate(sorted(asked))})
        made = chosen(known, documents=documents)
        assert made.queries
        assert all((*made.queries, *made.spare, *made.words))
