"""What a search says of a filter on fields that are not there, or that hold values of another kind."""

from typing import Any

import pytest

from embedding_project.contracts.filters import parse_filter
from embeddings_app.services.search.filter_hints import filter_warnings

FIELDS = ["lang", "author.name", "year"]


@pytest.mark.parametrize(
    "filter_",
    [None, {"lang": "en"}, {"or": [{"author.name": "Ann"}, {"not": {"year": 1}}]}, {"lng": {"exists": False}}],
)
def test_a_filter_on_fields_that_are_there_is_not_remarked_on(filter_: dict[str, Any] | None) -> None:
    assert filter_warnings(parse_filter(filter_), FIELDS, {}) == ()


@pytest.mark.parametrize("path", ["lng", "metadata.lang", "Lang", "author"])
def test_a_field_that_no_document_has_is_named_with_those_there_are(path: str) -> None:
    warning = f"no document has a field {path!r}; there are author.name, lang, year"
    assert filter_warnings(parse_filter({"and": [{"lang": "en"}, {"not": {path: "en"}}]}), FIELDS, {}) == (warning,)


def test_a_namespace_without_metadata_says_so() -> None:
    assert filter_warnings(parse_filter({"lang": "en"}), [], {}) == ("no document has a field 'lang'; none has any",)


HELD = {"lang": {"str"}, "year": {"number"}, "tags": {"list"}, "mixed": {"number", "str"}}


@pytest.mark.parametrize(
    ("filter_", "warning"),
    [
        ({"year": "2019"}, "'eq' looks for strings in 'year', which holds numbers"),
        ({"year": {"in": ["2019", True]}}, "'in' looks for booleans and strings in 'year', which holds numbers"),
        ({"not": {"year": {"gte": "2019"}}}, "'gte' looks for strings in 'year', which holds numbers"),
        ({"tags": "a"}, "'eq' looks for strings in 'tags', which holds lists; 'contains' looks into lists"),
        ({"lang": {"contains": "en"}}, "'contains' looks for lists in 'lang', which holds strings"),
        ({"mixed": True}, "'eq' looks for booleans in 'mixed', which holds numbers and strings"),
    ],
)
def test_a_value_of_a_kind_that_the_field_does_not_hold_is_named(filter_: dict[str, Any], warning: str) -> None:
    assert filter_warnings(parse_filter(filter_), list(HELD), HELD) == (warning,)


@pytest.mark.parametrize(
    "filter_", [{"year": 2019}, {"mixed": "a"}, {"tags": {"contains": 1}}, {"year": {"in": [1, "1"]}}, {"lng": "en"}]
)
def test_a_value_that_the_field_may_hold_is_not_remarked_on(filter_: dict[str, Any]) -> None:
    assert filter_warnings(parse_filter(filter_), [*HELD, "lng"], HELD) == ()
