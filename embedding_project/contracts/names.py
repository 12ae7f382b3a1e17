"""Names that several roles check: of namespaces and of documents."""

import re
import unicodedata

from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.limits import MAX_DOC_ID_BYTES, MAX_NAMESPACE_LENGTH
from embedding_project.contracts.text import storable

NAMESPACE_PATTERN = rf"^[a-z0-9][a-z0-9_-]{{0,{MAX_NAMESPACE_LENGTH - 1}}}$"


_NAMESPACE = re.compile(NAMESPACE_PATTERN)


def checked_namespace(value: object, field: str = "namespace") -> str:
    """Raises InvalidRequest."""
    return matching(value, _NAMESPACE, field)


def matching(value: object, pattern: re.Pattern[str], field: str) -> str:
    """Raises InvalidRequest."""
    if not isinstance(value, str):
        raise InvalidRequest("invalid_type", "the value must be a string", field=field)
    if not pattern.fullmatch(value):
        raise InvalidRequest("invalid_value", f"the name must match {pattern.pattern}", field=field)
    return value


def checked_doc_id(value: object, field: str) -> str:
    """1 to 512 bytes of UTF-8, kept exactly as they are. Raises InvalidRequest."""
    if not isinstance(value, str):
        raise InvalidRequest("invalid_type", "the value must be a string", field=field)
    # The length in characters comes first: a long string must not be walked to be refused.
    fits = 1 <= len(value) <= MAX_DOC_ID_BYTES and storable(value) and len(value.encode()) <= MAX_DOC_ID_BYTES
    # What is printable has no control character, and is recognised at once.
    if not fits or not (value.isprintable() or all(unicodedata.category(character) != "Cc" for character in value)):
        raise InvalidRequest(
            "invalid_value", f"an id has 1 to {MAX_DOC_ID_BYTES} bytes and no control characters", field=field
        )
    # HTTP clients take these parts out of a URL before they send it, which gives the id of another document.
    if not {".", ".."}.isdisjoint(value.split("/")):
        raise InvalidRequest("invalid_value", "an id has no part that is '.' or '..' between slashes", field=field)
    return value
