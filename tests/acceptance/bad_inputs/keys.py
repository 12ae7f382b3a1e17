"""Bad requests about keys. None of them makes one: the first would end keyless use."""

from collections.abc import Iterator
from typing import Any

from tests.acceptance.bad_inputs.case import Case, post


def keys() -> Iterator[Case]:
    path, good = "/v1/keys", {"name": "bad input", "scopes": ["search"]}
    rows: list[tuple[str, dict[str, Any], str, str]] = [
        ("no name", {"name": None}, "missing_field", "name"),
        ("a name of 129 characters", {"name": "x" * 129}, "invalid_value", "name"),
        ("NUL in a name", {"name": "a\x00"}, "invalid_text", "name"),
        ("no scopes", {"scopes": None}, "missing_field", "scopes"),
        ("an empty list of scopes", {"scopes": []}, "invalid_value", "scopes"),
        ("a scope a number", {"scopes": [1]}, "invalid_type", "scopes[0]"),
        ("namespaces a string", {"namespaces": "a"}, "invalid_type", "namespaces"),
        ("257 namespaces", {"namespaces": ["a"] * 257}, "too_many_items", "namespaces"),
        ("an end without an offset", {"expires_at": "2030-01-01T00:00:00"}, "invalid_value", "expires_at"),
        ("0 requests a second", {"requests_per_second": 0}, "invalid_value", "requests_per_second"),
        ("the first key, without saying so", {}, "missing_field", "ends_keyless_use"),
        ("an unknown field", {"secret": "x"}, "unknown_field", "secret"),
    ]
    for name, change, code, where in rows:
        yield post(f"a key: {name}", path, good | change, 400, code, where)
    yield Case(name="keys: limit 101", path=f"{path}?limit=101", method="GET", status=400, code="invalid_value",
               field="limit")  # fmt: skip
    yield Case(name="a key that is not there", path=f"{path}/0000000000", method="DELETE", status=404,
               code="unknown_key", field="prefix")  # fmt: skip
