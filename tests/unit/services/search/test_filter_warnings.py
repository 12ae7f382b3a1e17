"""What a search says of a filter on fields that are not there."""

from typing import Any

import pytest

from embedding_project.contracts.filters import parse_filter
from embeddings_app.services.search.searching import filter_warnings

FIELDS = ["lang", "author.name", "year"]


@pytest.mark.parametrize(
    "filter_",
    [None, {"lang": "en"}, {"or": [{"author.name": "Ann"}, {"not": {"year": 1}}]}, {"lng": {"exists": False}}],
)
def test_a_filter_on_fields_that_are_there_is_not_remarked_on(filter_: dict[str, Any] | None) -> None:
    assert filter_warnings(parse_filter(filter_), FIELDS) == ()


@pytest.mark.parametrize("path", ["lng", "metadata.lang", "Lang", "author"])
def test_a_field_that_no_document_has_is_named_with_those_there_are(path: str) -> None:
    warning = f"no document has a field {path!r}; there are author.name, lang, year"
    assert filter_warnings(parse_filter({"and": [{"lang": "en"}, {"not": {path: "en"}}]}), FIELDS) == (warning,)


def test_a_namespace_without_metadata_says_so() -> None:
    assert filter_warnings(parse_filter({"lang": "en"}), []) == ("no document has a field 'lang'; none has any",)
