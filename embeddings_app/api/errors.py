"""From exceptions to HTTP: a JSON body for every failure, with status and code from the one table.

Log lines name exception types and places in the code, never messages: those may quote what a user sent.
"""

import logging
import traceback
from collections.abc import Iterator
from typing import Any, cast

import django.db
import psycopg
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.views import defaults
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import APIView, set_rollback

from embedding_project.contracts.errors import InvalidRequest, ServiceError, Unavailable
from embeddings_app.api.error_shapes import error_body
from embeddings_app.api.metrics import ERRORS
from embeddings_app.api.pages import PAGE_PATHS
from embeddings_app.api.rendering import json_response

_DATABASE_SLOW = (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable)
"""It lives, but the query took too long, or waited too long for a lock."""
_DATABASE_AWAY = (
    django.db.OperationalError,
    django.db.InterfaceError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
)
logger = logging.getLogger(__name__)


def exception_response(error: Exception, context: dict[str, Any]) -> Response:
    """The answer to an exception that left a view; DRF calls this for every one."""
    set_rollback()
    known = as_service_error(error)
    if known is None:
        logger.error("internal error in %s\n%s", _route(context), "\n".join(_places(error)))
        known = ServiceError("internal_error")
    elif known.code == "database_unavailable":
        logger.warning("database unavailable in %s: %s", _route(context), type(error).__name__)
    ERRORS.labels(known.code).inc()
    headers = error_headers(known)
    if known.code == "method_not_allowed":
        headers["Allow"] = ", ".join(cast(APIView, context["view"]).allowed_methods)
    return Response(error_body(known, context["request"].path_info), status=known.kind.status, headers=headers)


def as_service_error(error: Exception) -> ServiceError | None:
    """The error of the table that `error` stands for; None when nobody foresaw it."""
    if isinstance(error, ServiceError):
        return error
    if isinstance(error, _DATABASE_SLOW) or isinstance(error.__cause__, _DATABASE_SLOW):
        return Unavailable("too_slow")
    if isinstance(error, _DATABASE_AWAY):
        return Unavailable("database_unavailable")
    if isinstance(error, Http404):
        return ServiceError("not_found")
    if isinstance(error, UnreadablePostError | exceptions.ParseError):
        return InvalidRequest("invalid_json")
    if isinstance(error, exceptions.MethodNotAllowed):
        return ServiceError("method_not_allowed")
    if isinstance(error, exceptions.UnsupportedMediaType):
        return ServiceError("unsupported_media_type")
    return None


def error_headers(error: ServiceError) -> dict[str, str]:
    if error.kind.status not in (429, 503):
        return {}
    seconds = error.retry_after_seconds if isinstance(error, Unavailable) else 1
    return {"Retry-After": str(max(1, seconds))}


def error_response(error: ServiceError, path: str = "") -> HttpResponse:
    """The same answer outside of a DRF view."""
    ERRORS.labels(error.code).inc()
    return json_response(error_body(error, path), status=error.kind.status, headers=error_headers(error))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer to a path no route matches. Pages of the admin and the console stay pages."""
    if request.path_info.startswith(PAGE_PATHS):
        return defaults.page_not_found(request, exception)
    return error_response(ServiceError("not_found"))


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer to an exception outside of a DRF view; Django has logged it. Pages stay pages."""
    if request.path_info.startswith(PAGE_PATHS):
        return defaults.server_error(request)
    return error_response(ServiceError("internal_error"))


def _route(context: dict[str, Any]) -> str:
    # The path itself may hold a document id, which is the user's.
    match = context["request"].resolver_match
    return match.route if match else "no route"


def _places(error: BaseException) -> Iterator[str]:
    """Type and stack of `error` and of what caused it, innermost cause first."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        yield from _places(cause)
    state = getattr(error, "sqlstate", None)
    yield f"{type(error).__module__}.{type(error).__qualname__}" + (f" sqlstate={state}" if state else "")
    for frame in traceback.extract_tb(error.__traceback__):
        yield f"  {frame.filename}:{frame.lineno} {frame.name}"
