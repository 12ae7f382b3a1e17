"""Metadata of a document: its rules, and its flat form on which filters work.

Nested objects become dotted paths (`author.name`), also inside of lists; lists and scalars are values. A path of the
flat form is a field of the namespace and a column of index nodes; the filter oracle reads the flat form.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.limits import (
    MAX_METADATA_BYTES,
    MAX_METADATA_DEPTH,
    MAX_METADATA_KEY_LENGTH,
    MAX_METADATA_KEYS,
)
from embedding_project.contracts.text import storable

Metadata = Mapping[str, Any]
EACH = "each"
LEAST_INTEGER, INTEGERS_END = -(2**63), 2**64
"""Integers are kept exactly from the first number up to the second, exclusive."""
_EXACT_FLOATS = 2.0**53


def flatten(metadata: Metadata) -> dict[str, Any]:
    """Dotted path -> scalar, list, or the values of a field in the objects of a list, as {EACH: [...]}.

    Null values and empty objects have no entry.
    """
    return dict(_leaves(metadata, ""))


def _leaves(node: Metadata, prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        path = prefix + key
        if isinstance(value, dict):
            yield from _leaves(value, path + ".")
        elif value is not None:
            yield path, value
            if isinstance(value, list):
                yield from _fields_of_each(value, path + ".")


def _fields_of_each(items: Sequence[Any], prefix: str) -> Iterator[tuple[str, Any]]:
    """The fields of the objects in a list, each with its values in all of them."""
    values: dict[str, list[Any]] = {}
    # Most lists hold no objects: these are left out in one go.
    for item in [item for item in items if isinstance(item, dict)]:
        for path, value in _leaves(item, prefix):
            values.setdefault(path, []).extend(values_of(value))
    yield from ((path, {EACH: found}) for path, found in values.items())


def values_of(value: Any) -> Sequence[Any]:
    """The values at a path of the flat form: one value, or one for each object of a list."""
    return value[EACH] if isinstance(value, dict) else (value,)


def stored_metadata(text: str | bytes) -> dict[str, Any]:
    """Metadata from the text of a jsonb value, with the numbers that the client sent.

    jsonb has decimal numbers only: it gives 1e23 back as an integer of 24 digits. The service accepts no integer beyond
    64 bits, so such an integer was a float.
    """
    value: dict[str, Any] = json.loads(text, parse_int=_integer_or_float)
    return value


def _integer_or_float(digits: str) -> int | float:
    number = int(digits)
    return number if LEAST_INTEGER <= number < INTEGERS_END else float(number)


def decimal_number(number: float) -> int | float:
    """A float as the number that its decimal digits name: 1.7643548061234568e18 is the integer 1764354806123456800.

    JSON writes decimal digits, and Postgres keeps them. Beyond 2^53 a float is another integer than its digits say, and
    would not be equal to the number from Postgres. Floats with a fraction or beyond 64 bits stay floats.
    """
    if -_EXACT_FLOATS < number < _EXACT_FLOATS or not LEAST_INTEGER <= number < INTEGERS_END:
        return number
    whole = int(Decimal(repr(number)))
    return whole if LEAST_INTEGER <= whole < INTEGERS_END else number


def canonical(metadata: Metadata) -> str:
    """One string for all metadata of one meaning: in any key order; 5 and 5.0 are one value, true and 1 are two."""
    return json.dumps(_whole_numbers(metadata), sort_keys=True, ensure_ascii=False)


def _whole_numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _whole_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole_numbers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def checked_metadata(value: object, field: str) -> dict[str, Any]:
    """`value` as metadata, with its numbers as stored. Raises InvalidRequest, which names the wrong place."""
    return metadata_and_fields(value, field)[0]


def metadata_and_fields(value: object, field: str) -> tuple[dict[str, Any], frozenset[str]]:
    """The same, with the paths of its flat form. Raises InvalidRequest."""
    if not isinstance(value, dict):
        raise InvalidRequest("invalid_type", "must be an object", field=field)
    _check_node(value, field, depth=1)
    checked: dict[str, Any] = _decimal_numbers(value)
    if len(json.dumps(value, ensure_ascii=False).encode()) > MAX_METADATA_BYTES:
        raise InvalidRequest("invalid_value", f"metadata is larger than {MAX_METADATA_BYTES} bytes", field=field)
    paths = [path for path, _ in _leaves(value, "")]
    fields = frozenset(paths)
    if len(fields) != len(paths):
        raise InvalidRequest("invalid_value", "two keys give the same dotted path", field=field)
    if len(paths) > MAX_METADATA_KEYS:
        raise InvalidRequest("invalid_value", f"more than {MAX_METADATA_KEYS} fields", field=field)
    return checked, fields


def _decimal_numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _decimal_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_decimal_numbers(item) for item in value]
    return decimal_number(value) if isinstance(value, float) else value


def _check_node(value: object, field: str, depth: int) -> None:
    if isinstance(value, dict | list):
        if depth > MAX_METADATA_DEPTH:
            raise InvalidRequest("invalid_value", f"nested deeper than {MAX_METADATA_DEPTH}", field=field)
        if isinstance(value, dict):
            for key, item in value.items():
                _check_key(key, field)
                _check_node(item, f"{field}.{key}", depth + 1)
        else:
            for item in value:
                _check_node(item, field, depth + 1)
    else:
        _check_scalar(value, field)


def _check_key(key: str, field: str) -> None:
    if not 1 <= len(key) <= MAX_METADATA_KEY_LENGTH or not storable(key):
        raise InvalidRequest("invalid_value", f"a key must have 1 to {MAX_METADATA_KEY_LENGTH} characters", field=field)


def _check_scalar(value: object, field: str) -> None:
    if isinstance(value, str):
        if not storable(value):
            raise InvalidRequest("invalid_text", field=field)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidRequest("invalid_number", field=field)
    elif isinstance(value, int) and not LEAST_INTEGER <= value < INTEGERS_END:
        raise InvalidRequest("invalid_number", "integers are kept exactly up to 64 bits", field=field)
