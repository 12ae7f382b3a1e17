"""Many items as requests that the service takes: by their number and by their bytes."""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
MOST_ITEMS = 256
"""Texts, documents or ids in one request."""
MOST_BYTES = 7 * 1024 * 1024
"""Of the items of one request; a body may have 8 MiB."""


def by_size(items: Iterable[T], size_of: Callable[[T], int], most: int = MOST_ITEMS) -> Iterator[list[T]]:
    """Parts that fit into a request; an item that is too large by itself is a part of its own."""
    part: list[T] = []
    taken = 0
    for item in items:
        size = size_of(item) + 1
        if part and (len(part) == most or taken + size > MOST_BYTES):
            yield part
            part, taken = [], 0
        part.append(item)
        taken += size
    if part:
        yield part


def by_number(items: Iterable[T], most: int = MOST_ITEMS) -> Iterator[list[T]]:
    """Parts of small items, such as ids."""
    return by_size(items, lambda _: 0, most)


def text_bytes(text: str) -> int:
    """As JSON. A surrogate, which the service refuses, counts as what stands in its place."""
    return len(json.dumps(text, ensure_ascii=False).encode(errors="replace"))
