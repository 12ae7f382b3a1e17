"""Whole numbers in paths and query parameters."""

from functools import partial

import pytest
from django.http import QueryDict

from embeddings_app.api.requests.paging import Page, page_of, run_in_path, version_in_path
from tests.unit.api.refusals import refusal

NO_NUMBERS = ["", "0", "-1", "+1", "1.0", " 1", "x", "1_0", "\u0661", "\u00b2", "9" * 5000]


def test_a_page_has_defaults() -> None:
    assert page_of(QueryDict("")) == Page(limit=20, after=None)
    assert page_of(QueryDict("limit=100&after=9223372036854775807")) == Page(limit=100, after=2**63 - 1)


@pytest.mark.parametrize("value", NO_NUMBERS)
def test_what_is_no_whole_number_is_refused_by_its_name(value: str) -> None:
    assert refusal(lambda: version_in_path(value)) == ("invalid_value", "version")
    assert refusal(lambda: run_in_path(value)) == ("invalid_value", "run_id")
    for name in ("limit", "after"):
        query = QueryDict(mutable=True)
        query[name] = value
        assert refusal(partial(page_of, query)) == ("invalid_value", name)


def test_numbers_end_where_the_database_does() -> None:
    assert (version_in_path("2147483647"), run_in_path("9223372036854775807")) == (2**31 - 1, 2**63 - 1)
    assert refusal(lambda: version_in_path("2147483648")) == ("invalid_value", "version")
    assert refusal(lambda: run_in_path("9223372036854775808")) == ("invalid_value", "run_id")
    assert refusal(lambda: page_of(QueryDict("limit=101"))) == ("invalid_value", "limit")
