"""A query made from a document: its first sentence."""

import pytest

from embeddings_app.services.quality.queries import first_sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Foxes sleep in dens. They dig them.", "Foxes sleep in dens."),
        ("Do foxes sleep in dens? Yes.", "Do foxes sleep in dens?"),
        ("A short title here\nand then the text.", "A short title here"),
        ("no full stop at all", "no full stop at all"),
        ("1. Introduction to the matter. More.", "1. Introduction to the matter."),
        ("version 3.11 of the language is used. More.", "version 3.11 of the language is used."),
        ("狐狸在洞穴里睡觉它们自己挖洞穴居住。然后它们出来。", "狐狸在洞穴里睡觉它们自己挖洞穴居住。"),
        ("Foxes", "Foxes"),
        ("   \n Foxes live in dens of earth. x", "Foxes live in dens of earth."),
    ],
)
def test_it_is_the_beginning_up_to_the_end_of_a_sentence_or_a_line(text: str, sentence: str) -> None:
    assert first_sentence(text) == sentence


def test_a_sentence_without_an_end_is_cut_between_words() -> None:
    found = first_sentence("word " * 1_000)
    assert len(found) <= 200
    assert set(found.split()) == {"word"}
    assert len(first_sentence("x" * 10_000)) == 200
