"""Vectors of the double: each word has a direction of its own, so texts with common words are near to each other."""

import hashlib
import math
import re
import struct
from collections.abc import Sequence

_WORD = re.compile(r"\w+|[^\w\s]")
MOST_TOKENS = 256


def words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def token_id(word: str) -> int:
    return 1000 + int.from_bytes(hashlib.blake2b(word.encode(errors="replace"), digest_size=4).digest()) % 29000


def embedded(text: str, dimension: int) -> list[float]:
    """Of unit length, with numbers that float32 holds."""
    total = [0.0] * dimension
    for word in words(text)[: MOST_TOKENS - 2] or [text]:
        for index, number in enumerate(_direction(word, dimension)):
            total[index] += number
    return unit(total)


def unit(vector: Sequence[float]) -> list[float]:
    length = math.hypot(*vector) or 1.0
    return list(struct.unpack(f"<{len(vector)}f", plain([number / length for number in vector])))


def plain(vector: Sequence[float]) -> bytes:
    return struct.pack(f"<{len(vector)}f", *vector)


def similarity(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def _direction(word: str, dimension: int) -> list[float]:
    found = b""
    while len(found) < dimension:
        found += hashlib.blake2b(word.encode(errors="replace") + bytes([len(found) // 64])).digest()
    return [byte / 127.5 - 1.0 for byte in found[:dimension]]
