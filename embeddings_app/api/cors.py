"""Pages of other origins: a browser lets those of `CORS_ORIGINS` read answers of the API, and none by default."""

from collections.abc import Collection

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve
from django.utils.cache import patch_vary_headers

_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
    # A star alone would leave `Authorization` out.
    "Access-Control-Allow-Headers": "Authorization, *",
    "Access-Control-Max-Age": "600",
}
_READABLE = "Idempotency-Replayed, Retry-After, X-Request-Id"


class Cors:
    def __init__(self, origins: Collection[str]) -> None:
        self._origins = frozenset(origins)

    def preflight(self, request: HttpRequest) -> HttpResponse | None:
        """The answer to a browser that asks before it sends a request; None when this is no such question."""
        meta = request.META
        asks = request.method == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in meta
        if not asks or meta.get("HTTP_ORIGIN") not in self._origins or not _is_route(request.path_info):
            return None
        return HttpResponse(status=204, headers=_PREFLIGHT)

    def allow(self, request: HttpRequest, response: HttpResponseBase) -> None:
        """Let the page that asked read the answer."""
        if not self._origins:
            return
        patch_vary_headers(response, ["Origin"])
        origin = request.META.get("HTTP_ORIGIN")
        if origin in self._origins:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = _READABLE


def _is_route(path: str) -> bool:
    try:
        resolve(path)
    except Resolver404:
        return False
    return True
