"""Payloads of other stores as metadata of the service, and what of them has no place there."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, time
from decimal import Decimal
from typing import Any
from uuid import UUID

MOST_DEPTH = 5
"""Levels of metadata that the service keeps."""


class LeftOut:
    """Counts, by the path of a field and the reason, what could not be carried."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def add(self, path: str, reason: str) -> None:
        self.counts[f"{path}: {reason}"] += 1

    def lines(self) -> list[str]:
        """The most frequent first."""
        return [f"{number} x {told}" for told, number in self.counts.most_common()]


def metadata_of(payload: Mapping[str, Any], left_out: LeftOut) -> dict[str, Any]:
    """Objects stay nested, and a filter reaches into them by dotted paths. Levels beyond the fifth are written into the
    fifth one, with dotted names."""
    return _object(payload, "", 1, left_out)


def text_at(payload: Mapping[str, Any], path: str) -> tuple[str | None, dict[str, Any]]:
    """The text at a dotted path, and the payload without it. None where there is no text."""
    first, _, rest = path.partition(".")
    value = payload.get(first)
    if not rest:
        if not isinstance(value, str):
            return None, dict(payload)
        return value, {name: item for name, item in payload.items() if name != first}
    if not isinstance(value, Mapping):
        return None, dict(payload)
    text, left = text_at(value, rest)
    return text, {**payload, first: left}


def _object(payload: Mapping[str, Any], path: str, level: int, left_out: LeftOut) -> dict[str, Any]:
    items = payload.items() if level < MOST_DEPTH else _flat(payload, "")
    carried = {name: _carried(value, f"{path}{name}", level, left_out) for name, value in items}
    return {name: value for name, value in carried.items() if value is not None}


def _flat(payload: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in payload.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _carried(value: Any, path: str, level: int, left_out: LeftOut) -> Any:
    """None for what is left out."""
    if isinstance(value, Mapping):
        return _object(value, f"{path}.", level + 1, left_out)
    if isinstance(value, list | tuple | set):
        return _list(value, path, level, left_out)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, float) and not math.isfinite(value):
        left_out.add(path, "no finite number")
        return None
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**64:
        left_out.add(path, "an integer beyond 64 bits")
        return None
    if value is None or isinstance(value, str | int | float):
        return value
    left_out.add(path, f"a value of type {type(value).__name__}")
    return None


def _list(values: Any, path: str, level: int, left_out: LeftOut) -> list[Any] | None:
    if level >= MOST_DEPTH:
        left_out.add(path, f"a list on a level beyond {MOST_DEPTH - 1}")
        return None
    carried = [_carried(value, f"{path}[]", level + 1, left_out) for value in values]
    return [value for value in carried if value is not None]
