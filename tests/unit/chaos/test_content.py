"""What a document says can be told from its place and the number of its write, and from nothing else."""

import pytest

from tests.chaos.content import CHOICES, NUMBERS, Place, metadata_of, passes, text_of, wrong_content

METADATA = metadata_of("red", 9, 7)
DOCUMENT = {"id": "a", "metadata": METADATA, "text": text_of(Place("red", "a"), 7)}


def test_a_document_as_it_was_written_is_whole() -> None:
    assert wrong_content(DOCUMENT) == ""


@pytest.mark.parametrize(("field", "value"), [("number", NUMBERS[9 % len(NUMBERS)] * 1.001), ("word", "Strasse")])
def test_a_field_of_another_value_is_found(field: str, value: object) -> None:
    assert "version 9" in wrong_content({**DOCUMENT, "metadata": {**METADATA, field: value}})


def test_the_text_of_another_version_namespace_or_document_is_found() -> None:
    for place, text_version in ((Place("red", "a"), 8), (Place("blue", "a"), 7), (Place("red", "b"), 7)):
        assert "another text" in wrong_content({**DOCUMENT, "text": text_of(place, text_version)})


@pytest.mark.parametrize("field", CHOICES)
def test_each_write_passes_one_condition_of_each_field(field: str) -> None:
    chosen = [choice for choice in range(len(CHOICES[field])) if passes((field, choice), 13)]
    assert [CHOICES[field][choice] for choice in chosen] == [metadata_of("red", 13, 13)[field]]
