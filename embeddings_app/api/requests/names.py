"""Names a caller may choose, of documents, namespaces and models: in bodies, in paths, and in query parameters."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from django.http import QueryDict
from django.urls.converters import StringConverter

from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.limits import MAX_DOC_ID_BYTES, MAX_MODEL_ID_LENGTH
from embedding_project.contracts.names import NAMESPACE_PATTERN
from embedding_project.contracts.text import storable
from embeddings_app.api.requests.fields import Fields, checked_string

DEFAULT_NAMESPACE = "default"
MODEL_ID_PATTERN = rf"^[A-Za-z0-9][A-Za-z0-9._/-]{{0,{MAX_MODEL_ID_LENGTH - 1}}}$"
RAW_PATH = "embedding_project.raw_path"
"""Key of the WSGI environment under which the server keeps the path as it came, one character a byte."""
_NAMESPACE = re.compile(NAMESPACE_PATTERN)
_MODEL_ID = re.compile(MODEL_ID_PATTERN)


def checked_doc_id(value: object, field: str) -> str:
    """1 to 512 bytes of UTF-8, kept exactly as they are. Raises InvalidRequest."""
    doc_id = checked_string(value, field)
    # The length in characters comes first: a long string must not be walked to be refused.
    fits = 1 <= len(doc_id) <= MAX_DOC_ID_BYTES and storable(doc_id) and len(doc_id.encode()) <= MAX_DOC_ID_BYTES
    if not fits or any(unicodedata.category(character) == "Cc" for character in doc_id):
        raise InvalidRequest(
            "invalid_value", f"an id has 1 to {MAX_DOC_ID_BYTES} bytes and no control characters", field=field
        )
    # HTTP clients take these parts out of a URL before they send it, which gives the id of another document.
    if not {".", ".."}.isdisjoint(doc_id.split("/")):
        raise InvalidRequest("invalid_value", "an id has no part that is '.' or '..' between slashes", field=field)
    return doc_id


def checked_namespace(value: object, field: str = "namespace") -> str:
    return _matching(value, _NAMESPACE, field)


def namespace_of(fields: Fields) -> str:
    return checked_namespace(fields.required("namespace")) if "namespace" in fields else DEFAULT_NAMESPACE


def model_id_of(fields: Fields) -> str | None:
    return checked_model_id(fields.required("model_id"), "model_id") if "model_id" in fields else None


def checked_model_id(value: object, field: str) -> str:
    return _matching(value, _MODEL_ID, field)


def _matching(value: object, pattern: re.Pattern[str], field: str) -> str:
    name = checked_string(value, field)
    if not pattern.fullmatch(name):
        raise InvalidRequest("invalid_value", f"the name must match {pattern.pattern}", field=field)
    return name


class RestOfPath(StringConverter):
    """Everything after the prefix: slashes, and line breaks too, so that they are refused as values."""

    regex = r"[\s\S]+"


def doc_id_in_path(value: str, meta: Mapping[str, Any]) -> str:
    """The document id in the path. Raises InvalidRequest."""
    # Django mends a path that is no UTF-8 by escaping its bytes, which gives the id of another document.
    try:
        meta.get(RAW_PATH, "").encode("latin-1").decode()
    except UnicodeDecodeError:
        raise InvalidRequest("invalid_value", "the path is not UTF-8", field="id") from None
    return checked_doc_id(value, "id")


def check_parameters(parameters: QueryDict, *known: str) -> None:
    """Refuse parameters that are not known or stand twice: a misspelt namespace must not mean the default one."""
    for name, values in parameters.lists():
        if name not in known:
            choice = f"the known ones are {', '.join(known)}" if known else "this path takes none"
            raise InvalidRequest("unknown_field", f"the query parameter is not known; {choice}", field=name)
        if len(values) > 1:
            raise InvalidRequest("invalid_value", "the query parameter is given more than once", field=name)


def namespace_parameter(parameters: QueryDict) -> str:
    return checked_namespace(parameters.get("namespace", DEFAULT_NAMESPACE))
