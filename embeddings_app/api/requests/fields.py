"""Reading one JSON object field by field, as its JSON schema declares it.

The schema says which fields there are, their ranges, choices and defaults; the OpenAPI document shows the same schema.
A field that is null counts as left out. Nothing is coerced: true is no integer, "5" no number, 1.0 no count.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.instants import instant
from embedding_project.contracts.text import storable
from embeddings_app.api.requests.familiar_names import known_fields

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Fields:
    """The fields of `value`, which stands at `path` in the request (empty for the body itself)."""

    def __init__(self, value: object, schema: Mapping[str, Any], path: str = "") -> None:
        """Raises InvalidRequest when `value` is no object, or has a field that `schema` does not declare."""
        if not isinstance(value, dict):
            raise wrong_type("an object", path)
        self._declared: Mapping[str, Mapping[str, Any]] = schema["properties"]
        self._path = path
        for name in value:
            if name not in self._declared:
                raise InvalidRequest("unknown_field", known_fields(name, self._declared), field=self.path(name))
        self._value: Mapping[str, Any] = {name: item for name, item in value.items() if item is not None}

    def path(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name

    def __contains__(self, name: str) -> bool:
        return name in self._value

    def required(self, name: str) -> object:
        if name not in self._value:
            raise InvalidRequest("missing_field", f"the field {name} is required", field=self.path(name))
        return self._value[name]

    def optional(self, name: str) -> Any:
        """The value as it stands; None when the field is absent."""
        return self._value.get(name)

    def flag(self, name: str) -> bool:
        """True or false; the declared default when the field is absent."""
        value = self.optional_flag(name)
        return bool(self._declared[name]["default"]) if value is None else value

    def optional_flag(self, name: str) -> bool | None:
        """True or false; None when the field is absent."""
        if name not in self._value:
            return None
        value = self._value[name]
        if not isinstance(value, bool):
            raise wrong_type("true or false", self.path(name))
        return value

    def integer(self, name: str) -> int:
        """An integer in the declared range; the declared default when the field is absent."""
        value = self.optional_integer(name)
        return int(self._declared[name]["default"]) if value is None else value

    def optional_integer(self, name: str) -> int | None:
        """An integer in the declared range; None when the field is absent."""
        if name not in self._value:
            return None
        return integer_within(self._value[name], self._declared[name], self.path(name))

    def optional_number(self, name: str) -> float | None:
        """A number in the declared range; None when the field is absent."""
        if name not in self._value:
            return None
        value = self._value[name]
        if type(value) not in (int, float):
            raise wrong_type("a number", self.path(name))
        check_range(value, self._declared[name], self.path(name))
        return float(value)

    def optional_string(self, name: str) -> str | None:
        """A string of the declared length that Postgres can hold; None when the field is absent."""
        if name not in self._value:
            return None
        value = checked_string(self._value[name], self.path(name))
        limit = self._declared[name]["maxLength"]
        if len(value) < self._declared[name].get("minLength", 0):
            raise InvalidRequest("invalid_value", "at least one character is needed", field=self.path(name))
        if len(value) > limit:
            raise InvalidRequest("invalid_value", f"at most {limit} characters are allowed", field=self.path(name))
        if not storable(value):
            raise InvalidRequest("invalid_text", field=self.path(name))
        return value

    def optional_choice(self, name: str) -> str | None:
        """One of the declared values; None when the field is absent."""
        if name not in self._value:
            return None
        return one_of(self._value[name], self._choices(name), self.path(name))

    def optional_moment(self, name: str) -> datetime | None:
        """A timestamp with an offset, of the years that Postgres and Python share; None when the field is absent."""
        text = self.optional_string(name)
        microseconds = None if text is None else instant(text)
        if text is not None and microseconds is None:
            message = "the value must be a timestamp with an offset, such as 2026-12-31T00:00:00Z"
            raise InvalidRequest("invalid_value", message, field=self.path(name))
        return None if microseconds is None else _EPOCH + timedelta(microseconds=microseconds)

    def choice(self, name: str) -> str:
        """One of the declared values; the declared default when the field is absent."""
        value = self._value.get(name, self._declared[name]["default"])
        return one_of(value, self._choices(name), self.path(name))

    def items(self, name: str) -> list[Any]:
        """A list of one item at least, and of no more items than declared."""
        return checked_items(self.required(name), self._declared[name]["maxItems"], self.path(name))

    def optional_items(self, name: str) -> list[Any] | None:
        """A list of anything; None when the field is absent."""
        if name not in self._value:
            return None
        value = self._value[name]
        if not isinstance(value, list):
            raise wrong_type("a list", self.path(name))
        return value

    def optional_vector(self, name: str) -> list[Any] | str | None:
        """A list of anything, or any string, which is to be base64; None when the field is absent."""
        if name not in self._value:
            return None
        value = self._value[name]
        if not isinstance(value, list | str):
            raise wrong_type("a list of numbers, or base64 in a string", self.path(name))
        return value

    def _choices(self, name: str) -> list[str]:
        return [choice for choice in self._declared[name]["enum"] if choice is not None]


def integer_within(value: object, schema: Mapping[str, Any], field: str) -> int:
    """`value` as an integer in the range of its schema. Raises InvalidRequest naming `field`."""
    if type(value) is not int:  # bool is a subclass of int
        raise wrong_type("an integer", field)
    check_range(value, schema, field)
    return value


def check_range(value: float, schema: Mapping[str, Any], field: str) -> None:
    low, high = schema["minimum"], schema["maximum"]
    if not low <= value <= high:
        raise InvalidRequest("invalid_value", f"the value must be between {low} and {high}", field=field)


def checked_items(value: object, limit: int, field: str) -> list[Any]:
    """`value` as a list of 1 to `limit` items. Raises InvalidRequest naming `field`."""
    if not isinstance(value, list):
        raise wrong_type("a list", field)
    if not value:
        raise InvalidRequest("invalid_value", "the list must not be empty", field=field)
    check_length(value, limit, field)
    return value


def check_length(items: list[Any], limit: int, field: str) -> None:
    if len(items) > limit:
        raise InvalidRequest("too_many_items", f"the list has {len(items)} items; {limit} are allowed", field=field)


def one_of(value: object, choices: list[str], field: str) -> str:
    if (chosen := checked_string(value, field)) not in choices:
        raise InvalidRequest("invalid_value", f"the value must be one of {', '.join(choices)}", field=field)
    return chosen


def checked_string(value: object, field: str) -> str:
    if not isinstance(value, str):
        raise wrong_type("a string", field)
    return value


def wrong_type(expected: str, field: str) -> InvalidRequest:
    return InvalidRequest("invalid_type", f"the value must be {expected}", field=field or None)
