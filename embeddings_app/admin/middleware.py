"""Django's middlewares of sessions, forms and pages, for the admin and the console alone.

They took an eighth of the time of a search, which has neither session nor form. Requests to other paths pass them by.
"""

from typing import Any

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.common import CommonMiddleware
from django.middleware.csrf import CsrfViewMiddleware
from django.utils.deprecation import MiddlewareMixin

ADMIN_PATH = "/admin/"
PATHS_WITH_SESSIONS = (ADMIN_PATH, "/console/")


class _PagesOnly(MiddlewareMixin):
    """Before a middleware in the order of bases, it makes that one step aside on all other paths."""

    paths: tuple[str, ...] = PATHS_WITH_SESSIONS

    def __call__(self, request: HttpRequest) -> Any:
        return super().__call__(request) if request.path_info.startswith(self.paths) else self.get_response(request)


def _pages_only(middleware: type[MiddlewareMixin]) -> type[MiddlewareMixin]:
    return type(f"Pages{middleware.__name__}", (_PagesOnly, middleware), {})


PagesCommon = _pages_only(CommonMiddleware)
PagesSession = _pages_only(SessionMiddleware)
PagesAuthentication = _pages_only(AuthenticationMiddleware)
PagesMessages = _pages_only(MessageMiddleware)
PagesFrames = _pages_only(XFrameOptionsMiddleware)


class PagesCsrf(_PagesOnly, CsrfViewMiddleware):
    def process_view(self, request: HttpRequest, *view: Any) -> Any:
        """Check the token; Django calls this by itself, once it knows the view."""
        return super().process_view(request, *view) if request.path_info.startswith(self.paths) else None


class AdminContentPolicy(_PagesOnly, MiddlewareMixin):
    """Browsers load nothing for the admin from elsewhere, and run no script that stands inside a page.

    The theme's Alpine evaluates expressions in attributes, hence `unsafe-eval`; its progress bars and colours are
    inline styles.
    """

    paths = (ADMIN_PATH,)
    _POLICY = (
        "default-src 'self'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )

    def process_response(self, _request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        response.headers["Content-Security-Policy"] = self._POLICY
        return response
