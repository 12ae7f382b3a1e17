"""A value per key, computed at most once a period: for facts that every request needs and that rarely change."""

import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class ExpiringCache(Generic[Key, Value]):
    """Holds at most `size` values for `seconds` each. It does not hold errors of `compute`.

    When a value is old, one caller computes it again while other callers get the old one.
    """

    def __init__(self, compute: Callable[[Key], Value], seconds: float, size: int = 1024) -> None:
        self._compute = compute
        self._seconds = seconds
        self._size = size
        self._values: dict[Key, tuple[float, Value]] = {}

    def get(self, key: Key) -> Value:
        now = time.monotonic()
        held = self._values.get(key)
        if held is not None:
            if held[0] > now:
                return held[1]
            self._values[key] = (now + self._seconds, held[1])
        try:
            value = self._compute(key)
        except BaseException:
            self._values.pop(key, None)
            raise
        if len(self._values) >= self._size:
            self._values.clear()
        self._values[key] = (time.monotonic() + self._seconds, value)
        return value

    def clear(self) -> None:
        self._values.clear()
