"""What a call can raise.

EmbsearchError
├── ApiError                the service refused, with a code of docs/reference/errors.md
│   ├── InvalidRequest      400, 405, 413, 415
│   ├── Unauthenticated     401
│   ├── Forbidden           403
│   ├── NotFound            404
│   ├── Conflict            409
│   ├── RateLimited         429
│   └── Unavailable         408, 500 and above
├── Unreachable             no answer came
├── UnexpectedAnswer        the answer is not one of this API
└── NotReached              what was waited for did not happen in time
"""

import json
import math
from collections.abc import Mapping
from typing import Any

_RETRYABLE_STATUSES = {408, 429, 500, 502, 503, 504}


class EmbsearchError(Exception):
    """The root of all errors of this package."""


class Unreachable(EmbsearchError):
    """No answer came: nothing listens, the connection broke, or the time was over."""


class UnexpectedAnswer(EmbsearchError):
    """The answer is not one of this API; another server may listen at the URL."""


class NotReached(EmbsearchError):
    """What was waited for did not happen in time. The service goes on with it."""


class ApiError(EmbsearchError):
    """The service refused a request."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int,
        field: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(code, message)
        self.code = code
        """Stable; see docs/reference/errors.md."""
        self.message = message
        """For people; may change."""
        self.status = status
        self.field = field
        """Path of the field at fault, such as `documents[3].text`."""
        self.request_id = request_id
        """By which the service's log names the request."""
        self.retry_after = retry_after
        """Seconds after which the service may take the same request."""

    @property
    def retryable(self) -> bool:
        """Whether the same request can succeed later."""
        return self.status in _RETRYABLE_STATUSES

    def __str__(self) -> str:
        place = f"{self.field}: " if self.field else ""
        request = f", request {self.request_id}" if self.request_id else ""
        return f"{place}{self.message} ({self.code}, status {self.status}{request})"


class InvalidRequest(ApiError):
    """The request has a fault and will not succeed later."""


class Unauthenticated(ApiError):
    """The key is missing or wrong."""


class Forbidden(ApiError):
    """The key does not allow this, or the service does not answer under this host name."""


class NotFound(ApiError):
    """There is no such namespace, model or path."""


class Conflict(ApiError):
    """The request does not fit the state of a namespace or a model."""


class RateLimited(ApiError):
    """Too many requests; `retry_after` says when there is room."""


class Unavailable(ApiError):
    """A part of the service does not answer now."""


_BY_STATUS: Mapping[int, type[ApiError]] = {
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    408: Unavailable,
    409: Conflict,
    429: RateLimited,
}


def error_of(status: int, headers: Mapping[str, str], content: bytes) -> ApiError:
    """The error that an answer with a status of 400 or above tells."""
    said = _said(content)
    return _kind(status)(
        str(said.get("code", "unknown")),
        str(said.get("message", "") or f"an answer with status {status} that names no error"),
        status=status,
        field=said.get("field"),
        request_id=headers.get("x-request-id"),
        retry_after=_seconds(headers.get("retry-after")),
    )


_CODES: Mapping[int, str] = {
    401: "unauthenticated",
    403: "forbidden_scope forbidden_namespace forbidden_host source_not_allowed https_required",
    404: "not_found unknown_model unknown_document unknown_run unknown_import unknown_key unknown_namespace",
    405: "method_not_allowed",
    408: "body_timeout",
    409: (
        "model_not_active illegal_step does_not_fit gate_closed revision_conflict idempotency_key_reused "
        "not_embedded namespace_in_use namespace_exists text_search_off text_not_kept model_mismatch "
        "token_expired"
    ),
    413: "body_too_large",
    415: "unsupported_media_type",
    429: "overloaded rate_limited",
    500: "internal_error",
    503: (
        "model_error model_unavailable embedder_unavailable index_unavailable broker_unavailable "
        "database_unavailable busy too_slow not_caught_up"
    ),
}
"""Status -> codes of the service that have it, apart by spaces; every other one has 400. The error of an item says its
code alone."""
_STATUS_BY_CODE = {code: status for status, codes in _CODES.items() for code in codes.split()}


def item_error(said: Mapping[str, Any]) -> ApiError:
    """The error of one item of a request that succeeded in part, as if the item had been a request of its own."""
    code = str(said.get("code", "unknown"))
    status = _STATUS_BY_CODE.get(code, 400)
    return _kind(status)(code, str(said.get("message", "")), status=status, field=said.get("field"))


def _kind(status: int) -> type[ApiError]:
    return _BY_STATUS.get(status, Unavailable if status >= 500 else InvalidRequest)


def _said(content: bytes) -> Mapping[str, Any]:
    """The error in the body; empty when a proxy answered with something else."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    error = body.get("error") if isinstance(body, dict) else None
    return error if isinstance(error, dict) else {}


def _seconds(header: str | None) -> float | None:
    """`Retry-After` in seconds; None for a date, which the service never sends."""
    try:
        seconds = float(header or "")
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
