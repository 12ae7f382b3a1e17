"""Filters of the command line: -f lang=en -f 'year>=2020' -f tags~winter -f draft -f '!old'. All must hold."""

import json
import re
from collections.abc import Callable, Sequence
from functools import reduce
from operator import and_, eq, ge, gt, le, lt, ne
from typing import Any

from embsearch.filters import Field, Filter

SYNTAX = "lang=en, lang!=en, year>=2020 (also > < <=), tags~winter (a list that holds it), draft (is there), !draft"
_CONDITION = re.compile(r"(?P<path>[^=!<>~]+)(?P<operator>>=|<=|!=|=|>|<|~)(?P<value>.*)", re.DOTALL)
_TESTS: dict[str, Callable[[Field, Any], Any]] = {
    "=": eq,
    "!=": ne,
    ">=": ge,
    "<=": le,
    ">": gt,
    "<": lt,
    "~": lambda field, value: field.contains(value),
}


def condition(text: str) -> Filter:
    """Raises ValueError."""
    if found := _CONDITION.fullmatch(text):
        test: Filter = _TESTS[found["operator"]](Field(found["path"].strip()), _value(found["value"].strip()))
        return test
    path = text.removeprefix("!").strip()
    if not path or set(path) & set("=!<>~"):
        raise ValueError(f"{text!r} is no condition; write {SYNTAX}")
    return Field(path).exists(not text.startswith("!"))


def all_of(conditions: Sequence[Filter]) -> Filter | None:
    return reduce(and_, conditions) if conditions else None


def _value(text: str) -> str | int | float | bool:
    """A number, true, false or a quoted text as JSON has them; everything else is a text."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, str | int | float | bool) else text
