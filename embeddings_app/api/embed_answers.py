"""Vectors in the forms clients ask for: rows of numbers, or base64 per row."""

import base64
from enum import StrEnum
from typing import Any

from embedding_project.contracts.errors import ERROR_KINDS, InvalidRequest, Unavailable
from embedding_project.contracts.vectors import Vector, to_bytes
from embeddings_app.services.embedding.requests import EmbedResult


class Encoding(StrEnum):
    """How vectors are written."""

    FLOAT = "float"
    BASE64 = "base64"
    """Of little-endian float32, one string per input."""
    BINARY = "binary"
    """The body is the vectors, little-endian float32."""


def rows(result: EmbedResult, encoding: Encoding) -> Vector | list[Any]:
    """One row per input, None where it could not be embedded."""
    written: Vector | list[Any] = result.vectors
    if encoding is Encoding.BASE64:
        written = [base64.b64encode(row).decode() for row in _raw_rows(result.vectors)]
    if result.first_error is None:
        return written
    return [None if outcome.error else row for row, outcome in zip(written, result.outcomes, strict=True)]


def check_all_embedded(result: EmbedResult, field: str) -> None:
    """Raises ServiceError for the first input without a vector; `field` is what the request calls its inputs."""
    if result.first_error is None:
        return
    at, code = result.first_error
    if ERROR_KINDS[code].status == 400:
        raise InvalidRequest(code, field=f"{field}[{at}]")
    raise Unavailable(code, f"{field}[{at}]: {ERROR_KINDS[code].meaning}")


def _raw_rows(vectors: Vector) -> list[bytes]:
    data = to_bytes(vectors)
    width = len(data) // len(vectors)
    return [data[start : start + width] for start in range(0, len(data), width)]
