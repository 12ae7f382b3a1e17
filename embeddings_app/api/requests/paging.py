"""Whole numbers in paths and query parameters, and the pages of long lists."""

from dataclasses import dataclass

from django.http import QueryDict

from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.limits import DEFAULT_PAGE_ITEMS, MAX_MODEL_VERSION, MAX_PAGE_ITEMS

MAX_KEY = 2**63 - 1
PAGE_PARAMETERS = ("limit", "after")
_MAX_DIGITS = 19


@dataclass(frozen=True, slots=True)
class Page:
    limit: int
    after: int | None
    """What the page before gave as `next`; None for the first page."""


def version_in_path(value: str) -> int:
    """Raises InvalidRequest."""
    return _whole_number(value, MAX_MODEL_VERSION, "version")


def run_in_path(value: str) -> int:
    """Raises InvalidRequest."""
    return _whole_number(value, MAX_KEY, "run_id")


def import_in_path(value: str) -> int:
    """Raises InvalidRequest."""
    return _whole_number(value, MAX_KEY, "import_id")


def limit_of(parameters: QueryDict) -> int:
    """How many items the page may have. Raises InvalidRequest."""
    limit = parameters.get("limit")
    return DEFAULT_PAGE_ITEMS if limit is None else _whole_number(limit, MAX_PAGE_ITEMS, "limit")


def page_of(parameters: QueryDict) -> Page:
    """The page that the query parameters ask for. Raises InvalidRequest."""
    after = parameters.get("after")
    return Page(
        limit=limit_of(parameters),
        after=None if after is None else _whole_number(after, MAX_KEY, "after"),
    )


def _whole_number(value: str, high: int, field: str) -> int:
    digits = value.isascii() and value.isdigit() and len(value) <= _MAX_DIGITS
    if not digits or not 1 <= int(value) <= high:
        raise InvalidRequest("invalid_value", f"it must be a whole number between 1 and {high}", field=field)
    return int(value)
