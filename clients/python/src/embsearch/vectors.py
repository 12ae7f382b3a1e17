"""Vectors as they travel: little-endian float32. numpy arrays where numpy is installed, else lists of floats."""

import base64
import struct
from collections.abc import Sequence
from importlib import import_module
from typing import Any

numpy: Any
try:
    numpy = import_module("numpy")
except ImportError:  # the package works without it
    numpy = None

Vector = Any
"""A numpy array of float32, shape (d,); without numpy a list of floats."""
Vectors = Any
"""A numpy array of float32, shape (n, d); without numpy a list of lists of floats."""


def rows_of(content: bytes, dimension: int) -> Vectors:
    """The vectors in a body of plain float32."""
    if numpy is not None:
        return numpy.frombuffer(content, "<f4").reshape(-1, dimension)
    numbers = struct.unpack(f"<{len(content) // 4}f", content)
    return [list(numbers[start : start + dimension]) for start in range(0, len(numbers), dimension)]


def row_bytes(encoded: str | None, dimension: int) -> bytes:
    """The vector in base64; NaN in every number where there is none."""
    return struct.pack("<f", float("nan")) * dimension if encoded is None else base64.b64decode(encoded)


def joined(parts: Sequence[Vectors]) -> Vectors:
    """The rows of all parts."""
    if numpy is not None:
        return numpy.concatenate(parts) if parts else numpy.zeros((0, 0), "<f4")
    return [row for part in parts for row in part]


def numbers_of(vector: Any) -> list[float]:
    """A vector of the caller as JSON has it."""
    plain = vector.tolist() if hasattr(vector, "tolist") else vector
    return [float(number) for number in plain]
