"""Vectors as values: float32, little-endian on every wire, of unit length in every index."""

import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedding_project.contracts.errors import InvalidRequest

Vector = NDArray[np.float32]
"""Shape (d,), or (n, d) for a name in the plural."""

_WIRE = np.dtype("<f4")
_FRAME_VERSION = 1
_TRUNCATED, _UNKNOWN = 1, 2
_HEADER = struct.Struct("<BBHII")
"""version, flags, dimension, tokens, crc32 of the payload"""


def to_bytes(vectors: Vector) -> bytes:
    return np.ascontiguousarray(vectors, dtype=_WIRE).tobytes()


def from_bytes(data: bytes, dimension: int) -> Vector:
    """Vectors of shape (n, dimension). Raises ValueError when the length of `data` does not fit."""
    return np.frombuffer(data, dtype=_WIRE).reshape(-1, dimension)


def unit_length(vectors: Vector) -> Vector:
    """`vectors` divided by their Euclidean length along the last axis; a zero vector stays zero."""
    # Divided by the largest component first, so that the squares of tiny and huge numbers neither vanish nor overflow.
    largest = np.abs(vectors).max(axis=-1, keepdims=True)
    scaled = vectors / np.where(largest > 0, largest, 1)
    norms = np.linalg.norm(scaled, axis=-1, keepdims=True)
    return np.asarray(scaled / np.where(norms > 0, norms, 1), dtype=np.float32)


def checked_vector(value: object, dimension: int, field: str) -> Vector:
    """A vector from a JSON list, of unit length, shape (dimension,). Raises InvalidRequest, which names `field`."""
    if not isinstance(value, list):
        raise InvalidRequest("invalid_type", "must be a list of numbers", field=field)
    if len(value) != dimension:
        raise InvalidRequest("dimension_mismatch", f"has {len(value)} numbers, the model has {dimension}", field=field)
    # numpy would accept true, "3" and nested lists; bool is a subclass of int, so the check compares exact types.
    if not {float, int}.issuperset(map(type, value)):
        raise InvalidRequest("invalid_type", "must hold numbers only", field=field)
    try:
        numbers = np.array(value, dtype=np.float64)
    except OverflowError:
        raise InvalidRequest("invalid_number", field=field) from None
    vectors, (fault,) = unit_vectors(numbers.reshape(1, -1))
    if fault:
        raise InvalidRequest(fault, field=field)
    found: Vector = vectors[0]
    return found


def unit_vectors(numbers: NDArray[np.floating[Any]]) -> tuple[Vector, list[str]]:
    """Vectors of unit length, and what is wrong with each: an error code, empty for nothing. Shape (n, d)."""
    with np.errstate(over="ignore", under="ignore"):
        vectors = numbers.astype(np.float32)
    finite, some = np.isfinite(vectors).all(axis=1), vectors.any(axis=1)
    good = finite & some
    if good.all():
        return unit_length(vectors), [""] * len(vectors)
    vectors[~good] = 1.0
    faults = np.where(finite, np.where(some, "", "zero_vector"), "invalid_number")
    return unit_length(vectors), faults.tolist()


def frame(vector: Vector, tokens: int, *, truncated: bool, unknown: bool) -> bytes:
    """An `EmbeddedText` as bytes."""
    payload = vector.astype(_WIRE, copy=False).tobytes()
    flags = _TRUNCATED * truncated | _UNKNOWN * unknown
    return _HEADER.pack(_FRAME_VERSION, flags, len(vector), tokens, zlib.crc32(payload)) + payload


@dataclass(frozen=True, slots=True)
class EmbeddedText:
    """The outcome of embedding one text."""

    vector: Vector
    """Shape (d,), as the model gives it: not normalised, full dimension."""
    tokens: int
    truncated: bool
    unknown: bool = False
    """Whether the model knows none of the tokens."""

    def to_frame(self) -> bytes:
        """The bytes kept in the cache and sent in replies."""
        return frame(self.vector, self.tokens, truncated=self.truncated, unknown=self.unknown)

    @classmethod
    def from_frame(cls, frame: bytes, dimension: int) -> "EmbeddedText | None":
        """The embedding in `frame`, or None when it is damaged, of another version or dimension."""
        if len(frame) != _HEADER.size + 4 * dimension:
            return None
        version, flags, found, tokens, crc = _HEADER.unpack_from(frame)
        payload = memoryview(frame)[_HEADER.size :]
        if version != _FRAME_VERSION or found != dimension or zlib.crc32(payload) != crc:
            return None
        return cls(np.frombuffer(payload, dtype=_WIRE), tokens, bool(flags & _TRUNCATED), bool(flags & _UNKNOWN))
