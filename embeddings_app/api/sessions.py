"""Who asks without a key, from a page of the console: the person of the session, shown to be that page by its token.

Browsers send the cookie with any request that another page makes; a header of its own they send only where this service
allows it, which it never does. So a request with the cookie alone is nobody's.
"""

from importlib import import_module

from django.conf import settings
from django.contrib.auth import get_user
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware

from embedding_project.contracts.errors import ServiceError, Unavailable
from embeddings_app.services.access.callers import Caller
from embeddings_app.services.access.people import person_caller

_TOKEN = "HTTP_X_CSRFTOKEN"
_JSON = "application/json"


def _no_view(_request: HttpRequest) -> HttpResponse:
    return HttpResponse()


class _TokenCheck(CsrfViewMiddleware):
    """Django's own check, which answers with the reason of a refusal."""

    def _reject(self, _request: HttpRequest, reason: str) -> str:
        return reason


def signed_in(request: HttpRequest) -> Caller | None:
    """The person of the session; None without one. Raises ServiceError when the token of the page is wrong."""
    session_key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    # The check looks for a token in forms first, and no form may be read here.
    if not session_key or _TOKEN not in request.META or (request.method == "POST" and request.content_type != _JSON):
        return None
    check = _TokenCheck(_no_view)
    check.process_request(request)
    if check.process_view(request, _no_view, (), {}):
        raise ServiceError("unauthenticated", "the token of the page is old: load the page again")
    try:
        request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
        return person_caller(get_user(request))
    except DatabaseError as error:
        raise Unavailable("database_unavailable") from error
