"""Vectors as they travel: little-endian float32. numpy arrays where numpy is installed, else lists of floats."""

import base64
import struct
import sys
from array import array
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
    """A vector as a list of Python's own numbers. Raises TypeError and ValueError for what is none."""
    plain = vector.tolist() if hasattr(vector, "tolist") else vector
    try:
        return [float(number) for number in plain]
    except OverflowError as error:  # an integer that no float holds
        raise ValueError(str(error)) from error


def base64_of(vector: Any) -> str:
    """A vector of the caller as requests have it: its decimal digits would take longer than all else of a request.
    A number beyond float32 becomes infinite, which the service refuses. Raises TypeError and ValueError for what is no
    vector."""
    if numpy is not None and type(vector) is numpy.ndarray and vector.ndim == 1 and vector.dtype.kind in "fiub":
        with numpy.errstate(over="ignore"):
            return base64.b64encode(vector.astype("<f4").tobytes()).decode()
    numbers = array("f", numbers_of(vector))
    if sys.byteorder == "big":
        numbers.byteswap()
    return base64.b64encode(numbers.tobytes()).decode()
