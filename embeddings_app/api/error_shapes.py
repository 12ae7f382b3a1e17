"""The body of an error: the service's own, and those of other APIs on the routes made for their clients."""

from typing import Any

from embedding_project.contracts.errors import ServiceError

MAX_ECHO_CHARACTERS = 200
"""An answer repeats at most this much of what it refuses."""
OPENAI_PATHS = frozenset({"/v1/embeddings"})
TEI_PATHS = frozenset({"/", "/embed", "/rerank", "/info", "/health"})
_OPENAI_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_OPENAI_FIELDS = {"model_id": "model", "model_version": "model", "inputs": "input"}
"""A field that the services know -> its name in the OpenAI API."""
_TEI_TYPES_BY_CODE = {"empty_input": "Empty", "no_tokenizer": "Tokenizer", "model_error": "Backend"}
_TEI_TYPES = {429: "Overloaded", 500: "Backend", 503: "Unhealthy"}
_TEI_OTHERS = "Validation"
TEI_ERROR_TYPES = frozenset({*_TEI_TYPES_BY_CODE.values(), *_TEI_TYPES.values(), _TEI_OTHERS})


def error_body(error: ServiceError, path: str = "") -> dict[str, Any]:
    """The body for `error` in the form of the route at `path`."""
    if path in OPENAI_PATHS:
        return openai_error(error)
    if path in TEI_PATHS:
        return tei_error(error)
    body = {"code": error.code, "message": _clipped(error.message)}
    if error.field is not None:
        body["field"] = _clipped(error.field)
    return {"error": body}


def openai_error(error: ServiceError) -> dict[str, Any]:
    status = error.kind.status
    kind = "server_error" if status >= 500 else _OPENAI_TYPES.get(status, "invalid_request_error")
    field = _OPENAI_FIELDS.get(error.field or "", error.field)
    param = None if field is None else _clipped(field)
    return {"error": {"message": _located(error, field), "type": kind, "param": param, "code": error.code}}


def tei_error(error: ServiceError) -> dict[str, Any]:
    kind = _TEI_TYPES_BY_CODE.get(error.code) or _TEI_TYPES.get(error.kind.status, _TEI_OTHERS)
    return {"error": _located(error, error.field), "error_type": kind}


def _located(error: ServiceError, field: str | None) -> str:
    """The message with the place before it, since many clients show nothing else."""
    return _clipped(f"{field}: {error.message}" if field else error.message)


def _clipped(text: str) -> str:
    return text if len(text) <= MAX_ECHO_CHARACTERS else text[: MAX_ECHO_CHARACTERS - 1] + "…"
