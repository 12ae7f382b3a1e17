"""Names a caller may choose, of documents, namespaces and models: in bodies, in paths, and in query parameters."""

import re
from collections.abc import Mapping
from typing import Any

from django.http import QueryDict
from django.urls.converters import StringConverter

from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.limits import MAX_MODEL_ID_LENGTH
from embedding_project.contracts.names import checked_doc_id, checked_namespace, matching
from embeddings_app.api.requests.fields import Fields

DEFAULT_NAMESPACE = "default"
MODEL_ID_PATTERN = rf"^[A-Za-z0-9][A-Za-z0-9._/-]{{0,{MAX_MODEL_ID_LENGTH - 1}}}$"
RAW_PATH = "embedding_project.raw_path"
"""Key of the WSGI environment under which the server keeps the path as it came, one character a byte."""
_MODEL_ID = re.compile(MODEL_ID_PATTERN)


def namespace_of(fields: Fields) -> str:
    return checked_namespace(fields.required("namespace")) if "namespace" in fields else DEFAULT_NAMESPACE


def model_id_of(fields: Fields) -> str | None:
    return checked_model_id(fields.required("model_id"), "model_id") if "model_id" in fields else None


def checked_model_id(value: object, field: str) -> str:
    return matching(value, _MODEL_ID, field)


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
