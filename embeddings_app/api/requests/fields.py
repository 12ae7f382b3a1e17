"""Reading one JSON object field by field. Nothing is coerced: true is no integer, "5" no number, 1.0 no count."""

from collections.abc import Mapping
from typing import Any

from embedding_project.contracts.errors import InvalidRequest


class Fields:
    """The fields of `value`, which stands at `path` in the request (empty for the body itself)."""

    def __init__(self, value: object, path: str = "") -> None:
        if not isinstance(value, dict):
            raise wrong_type("an object", path)
        self._value: Mapping[str, Any] = value
        self._path = path

    def path(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name

    def refuse_others(self, known: frozenset[str]) -> None:
        """Raise InvalidRequest for the first field that is not in `known`."""
        for name in self._value:
            if name not in known:
                raise InvalidRequest("unknown_field", f"known are {', '.join(sorted(known))}", field=self.path(name))

    def __contains__(self, name: str) -> bool:
        return name in self._value

    def required(self, name: str) -> object:
        if name not in self._value:
            raise InvalidRequest("missing_field", f"{name} is required", field=self.path(name))
        return self._value[name]

    def boolean(self, name: str, default: bool | None) -> bool | None:
        if name not in self._value:
            return default
        value = self._value[name]
        if not isinstance(value, bool):
            raise wrong_type("true or false", self.path(name))
        return value

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        if name not in self._value:
            return default
        value = self._value[name]
        if type(value) is not int:  # bool is a subclass of int
            raise wrong_type("an integer", self.path(name))
        if not low <= value <= high:
            raise InvalidRequest("invalid_value", f"must be between {low} and {high}", field=self.path(name))
        return value

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        return one_of(self._value[name], choices, self.path(name)) if name in self._value else default

    def optional(self, name: str) -> Any:
        """The value as it stands; None when the field is absent."""
        return self._value.get(name)

    def optional_items(self, name: str) -> list[Any] | None:
        """A list of anything; None when the field is absent."""
        if name not in self._value:
            return None
        value = self._value[name]
        if not isinstance(value, list):
            raise wrong_type("a list", self.path(name))
        return value

    def items(self, name: str, limit: int) -> list[Any]:
        """A list of 1 to `limit` items of anything."""
        value = self.required(name)
        if not isinstance(value, list):
            raise wrong_type("a list", self.path(name))
        if not value:
            raise InvalidRequest("invalid_value", "must not be empty", field=self.path(name))
        if len(value) > limit:
            raise InvalidRequest("too_many_items", f"at most {limit}, here are {len(value)}", field=self.path(name))
        return value


def one_of(value: object, choices: tuple[str, ...], field: str) -> str:
    if not isinstance(value, str):
        raise wrong_type("a string", field)
    if value not in choices:
        raise InvalidRequest("invalid_value", f"must be one of {', '.join(choices)}", field=field)
    return value


def wrong_type(expected: str, field: str) -> InvalidRequest:
    return InvalidRequest("invalid_type", f"must be {expected}", field=field or None)
