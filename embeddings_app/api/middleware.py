"""What every request of the API passes first and last: access, a thread to work on, a request id, headers, metrics.

Pages and files get a place and are left to Django. Runs on every hot request, so it does little: measured at 20 to 30
microseconds.
"""

import logging
import re
import secrets
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request

from embedding_project.config import load_config
from embedding_project.contracts.errors import ServiceError
from embedding_project.contracts.origins import Origin
from embedding_project.observing import tracing
from embedding_project.observing.request_context import serving
from embeddings_app.api.access import Access, sent_key
from embeddings_app.api.admission import admission
from embeddings_app.api.cors import Cors
from embeddings_app.api.errors import error_response
from embeddings_app.api.metrics import IN_PROGRESS, count_request
from embeddings_app.api.pages import PAGE_PATHS, answer_page
from embeddings_app.api.sessions import signed_in
from embeddings_app.services.access.callers import KEYLESS, Caller, key_ring, keyless_use
from embeddings_app.services.access.client_address import client_address
from embeddings_app.services.access.rate_limits import limiter

REQUEST_ID = "HTTP_X_REQUEST_ID"
CALLER = "embedding_project.caller"
"""Under this key of `META` a view finds its caller."""
_REQUEST_ID_PATTERN = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_UNMATCHED = "unmatched"
_NOTHING_ALLOWED = "default-src 'none'; frame-ancestors 'none'"
_SLOW_SECONDS = 1.0
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"})
_PROBED = frozenset({"/health", "/healthz", "/readyz", "/metrics"})
"""Asked all the time by machines: traces of them would only hide the others."""
_TRACE_HEADERS = {"HTTP_TRACEPARENT": "traceparent", "HTTP_TRACESTATE": "tracestate"}
logger = logging.getLogger(__name__)
GetResponse = Callable[[HttpRequest], HttpResponseBase]


class ApiGuard:
    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response
        config = load_config()
        self._access = Access(config.api_key, key_ring(), keyless_use())
        self._https_only = settings.SECURE_SSL_REDIRECT
        self._address = client_address()
        self._cors = Cors(config.cors_origins)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info.startswith(PAGE_PATHS):
            return self._page(request)
        started = time.perf_counter()
        request_id = _request_id(request)
        IN_PROGRESS.inc()
        try:
            with serving((Origin(request_id),)), _span(request):
                response = self._cors.preflight(request) or self._answer(request)
                _tell(request, response.status_code, time.perf_counter() - started)
        finally:
            IN_PROGRESS.dec()
        self._cors.allow(request, response)
        headers = response.headers
        headers["X-Request-Id"] = request_id
        headers["X-Content-Type-Options"] = "nosniff"
        headers["X-Frame-Options"] = "DENY"
        headers["Referrer-Policy"] = "no-referrer"
        headers.setdefault("Content-Security-Policy", _NOTHING_ALLOWED)
        headers.setdefault("Cache-Control", "no-store")
        if isinstance(response, HttpResponse):
            headers.setdefault("Content-Length", str(len(response.content)))
        return response

    def _page(self, request: HttpRequest) -> HttpResponseBase:
        try:
            return answer_page(request, self._get_response, admission().pages, self._address.of(request.META))
        except ServiceError as error:
            return error_response(error)

    def _answer(self, request: HttpRequest) -> HttpResponseBase:
        meta = request.META
        try:
            caller = self._access.caller(
                request.path_info,
                meta.get("HTTP_HOST", ""),
                sent_key(meta),
                str(request.method),
                too_plain=self._https_only and not request.is_secure(),
                signed_in=lambda: signed_in(request),
            )
            if caller is None:
                if request.path_info in _PROBED:
                    return self._get_response(request)
                with admission().pages.one(self._address.of(meta)):
                    return self._get_response(request)
            meta[CALLER] = caller
            limiter().count_request(caller)
            with admission().work.one(caller.name, alone=caller is KEYLESS):
                return self._get_response(request)
        except ServiceError as error:
            response = error_response(error, request.path_info)
            if error.code == "unauthenticated":
                response.headers["WWW-Authenticate"] = 'Bearer realm="api"'
            return response


def caller_of(request: Request) -> Caller:
    """The caller of the request; only on paths that need a key."""
    caller: Caller = request.META[CALLER]
    return caller


def _tell(request: HttpRequest, status: int, seconds: float) -> None:
    """Count the answer, name its span, and log it: at INFO when it took long."""
    route = _route(request)
    method = request.method if request.method in _METHODS else "_OTHER"
    count_request(route, status, seconds)
    tracing.describe_request(method, route, status)
    level = logging.DEBUG if seconds < _SLOW_SECONDS else logging.INFO
    logger.log(level, "answered %s %s with %d in %.1f ms", method, route, status, 1_000 * seconds)


def _span(request: HttpRequest) -> AbstractContextManager[None]:
    if request.path_info in _PROBED:
        return nullcontext()
    return tracing.request_span(
        {name: request.META[key] for key, name in _TRACE_HEADERS.items() if key in request.META}
    )


def _request_id(request: HttpRequest) -> str:
    """The id the client sent, when it is a plain one; else a new one, which the view finds in its place."""
    given: str = request.META.get(REQUEST_ID, "")
    if _REQUEST_ID_PATTERN.fullmatch(given):
        return given
    request.META[REQUEST_ID] = made = secrets.token_hex(8)
    return made


def _route(request: HttpRequest) -> str:
    match = request.resolver_match
    return "/" + match.route if match else _UNMATCHED
