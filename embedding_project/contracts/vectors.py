"""Vectors as values: float32, little-endian on every wire, of unit length in every index."""

import binascii
import math
import struct
import zlib
from collections.abc import Sequence
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
    """A vector from a JSON list, or from base64 in a string, of unit length, shape (dimension,). Raises InvalidRequest,
    which names `field`."""
    (found,) = checked_vectors([value], dimension, [field])
    if isinstance(found, InvalidRequest):
        raise found
    return found


def checked_vectors(values: Sequence[object], dimension: int, fields: Sequence[str]) -> "list[Vector | InvalidRequest]":
    """Of each what `checked_vector` returns or raises. All are brought to unit length at once: of one alone, that would
    take longer than to read its numbers."""
    found: dict[int, Vector | InvalidRequest] = {}
    numbers: dict[int, bytes] = {}
    for place, (value, field) in enumerate(zip(values, fields, strict=True)):
        try:
            numbers[place] = _number_bytes(value, dimension, field)
        except InvalidRequest as error:
            found[place] = error
    vectors, faults = unit_vectors(from_bytes(b"".join(numbers.values()), dimension))
    for place, vector, fault in zip(numbers, vectors, faults, strict=True):
        found[place] = InvalidRequest(fault, field=fields[place]) if fault else vector
    return [found[place] for place in range(len(values))]


def _number_bytes(value: object, dimension: int, field: str) -> bytes:
    """The numbers as float32, so many as there must be. Raises InvalidRequest."""
    if isinstance(value, str):
        return _decoded(value, dimension, field)
    if not isinstance(value, list):
        raise InvalidRequest("invalid_type", "must be a list of numbers, or base64 in a string", field=field)
    if len(value) != dimension:
        raise InvalidRequest("dimension_mismatch", f"has {len(value)} numbers, the model has {dimension}", field=field)
    # numpy would accept true, "3" and nested lists; bool is a subclass of int, so the check compares exact types.
    if not {float, int}.issuperset(map(type, value)):
        raise InvalidRequest("invalid_type", "must hold numbers only", field=field)
    try:
        numbers = np.array(value, dtype=np.float64)
    except OverflowError:
        raise InvalidRequest("invalid_number", field=field) from None
    with np.errstate(over="ignore", under="ignore"):
        return numbers.astype(_WIRE).tobytes()


def _decoded(text: str, dimension: int, field: str) -> bytes:
    """Of a string that is too long only the beginning is decoded, which shows whether it is base64 at all. Raises
    InvalidRequest."""
    wanted = _WIRE.itemsize * dimension
    begin = text[: 4 * (wanted // 3 + 2)]  # the characters of more bytes than are wanted
    try:
        data = binascii.a2b_base64(begin, strict_mode=True)
    except ValueError:
        data = None
    # Even when strict, the decoder passes over padding where there is nothing to pad.
    if data is None or len(begin) != 4 * math.ceil(len(data) / 3):
        message = "must be base64 of little-endian float32, in the standard alphabet with padding"
        raise InvalidRequest("invalid_value", message, field=field)
    if len(data) != wanted:
        size = len(data) if text == begin else len(text) * 3 // 4 - text[-2:].count("=")
        message = f"has {size / _WIRE.itemsize:.10g} numbers of float32, the model has {dimension}"
        raise InvalidRequest("dimension_mismatch", message, field=field)
    return data


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
