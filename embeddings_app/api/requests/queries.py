"""What stands in the URL: document ids in the path, and query parameters, as strict as bodies are."""

from collections.abc import Mapping
from typing import Any

from django.http import QueryDict

from embedding_project.contracts.errors import InvalidRequest
from embeddings_app.api.requests.fields import one_of
from embeddings_app.api.requests.names import DEFAULT_NAMESPACE, checked_doc_id, checked_namespace

RAW_PATH = "embedding_project.raw_path"
"""Key of the WSGI environment under which the server keeps the path as it came, one character a byte."""


class RestOfPath:
    """Everything after the prefix: slashes, and line breaks too, so that they are refused as values."""

    regex = r"[\s\S]+"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


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
            raise InvalidRequest("unknown_field", f"known are {', '.join(known) or 'none'}", field=name)
        if len(values) > 1:
            raise InvalidRequest("invalid_value", "stands more than once", field=name)


def namespace_parameter(parameters: QueryDict) -> str:
    return checked_namespace(parameters.get("namespace", DEFAULT_NAMESPACE))


def include_vector(parameters: QueryDict) -> bool:
    """Whether `include=vector` was asked for."""
    return "include" in parameters and one_of(parameters["include"], ("vector",), "include") == "vector"
