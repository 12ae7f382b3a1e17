"""JSON in, after the transport was checked: media type, encoding and length.

A body is refused by its headers before a byte of it is read.
"""

import hashlib
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.limits import MAX_BODY_BYTES
from embeddings_app.api.rendering import MEDIA_TYPE
from embeddings_app.api.strict_json import strict_loads

BODY_HASH = "embedding_project.body_hash"
"""Under this key of `META` a route finds the SHA-256 of a body that came with an `Idempotency-Key`."""
IDEMPOTENCY_KEY = "HTTP_IDEMPOTENCY_KEY"
_CHARSETS = ("utf-8", "utf8")


def json_object(request: Request) -> dict[str, object]:
    """The JSON object in the body. Raises InvalidRequest."""
    check_transport(request.META)
    value = request.data
    if not isinstance(value, dict):
        raise InvalidRequest("invalid_json", "the body must be a JSON object")
    return value


def optional_object(request: Request) -> dict[str, object]:
    """The JSON object in the body; empty when the request has no body. Raises InvalidRequest."""
    return json_object(request) if content_length(request.META) else {}


def check_transport(meta: Mapping[str, Any]) -> None:
    """Refuse by its headers a body that must not be read. Raises InvalidRequest."""
    _check_media_type(meta.get("CONTENT_TYPE", ""))
    if meta.get("HTTP_CONTENT_ENCODING", "identity").strip().lower() not in ("", "identity"):
        raise InvalidRequest("unsupported_media_type", "the body must not be compressed")
    length = content_length(meta)
    if length > MAX_BODY_BYTES:
        raise InvalidRequest("body_too_large")
    if length == 0:
        raise InvalidRequest("invalid_json", "the body is empty")


def content_length(meta: Mapping[str, Any]) -> int:
    text = meta.get("CONTENT_LENGTH") or "0"
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise InvalidRequest("invalid_value", "Content-Length is not a number")
    return int(text)


def _check_media_type(content_type: str) -> None:
    media_type, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charsets = [part[len("charset=") :].strip('"') for part in parameters if part.startswith("charset=")]
    if media_type != MEDIA_TYPE or any(charset not in _CHARSETS for charset in charsets):
        raise InvalidRequest("unsupported_media_type")


class StrictJsonParser(BaseParser):
    media_type = MEDIA_TYPE

    def parse(self, stream: IO[bytes], _media_type: str | None = None, context: Mapping[str, Any] | None = None) -> Any:
        """The value in `stream`. Raises InvalidRequest."""
        body = stream.read()
        meta = context["request"].META if context else {}
        if IDEMPOTENCY_KEY in meta:
            meta[BODY_HASH] = hashlib.sha256(body).digest()
        return strict_loads(body)
