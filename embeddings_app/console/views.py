"""The frame around every page of the console. It holds no data: the page asks the API, with its reader's rights."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from embedding_project.contracts.errors import ServiceError
from embeddings_app.console.page import Page
from embeddings_app.console.pages import PAGES
from embeddings_app.services.access.callers import KEYLESS, Caller, keyless_use
from embeddings_app.services.access.people import person_caller

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "font-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
"""Nothing from elsewhere, nothing inline. Trusted types: browsers refuse to read markup out of a string."""


@require_safe
def show_page(request: HttpRequest, page: Page) -> HttpResponseBase:
    """The page, or the login of the admin on the way to it."""
    return _framed(request, page.template, page)


@require_safe
def show_missing(request: HttpRequest) -> HttpResponseBase:
    return _framed(request, "console/missing.html", None, status=404)


def _framed(request: HttpRequest, template: str, page: Page | None, status: int = 200) -> HttpResponseBase:
    try:
        reader = _reader(request)
    except (ServiceError, DatabaseError):
        # Who reads is not known, so nobody reads anything: the page says only that.
        return _answer(request, "console/unavailable.html", {"scopes": ""}, status=503)
    if reader is None:
        return redirect_to_login(request.get_full_path(), reverse("admin:login"))
    context = {
        "page": page,
        "navigation": _navigation(reader),
        "scopes": " ".join(sorted(reader.scopes)),
        "is_keyless": reader is KEYLESS,
        "person": None if reader is KEYLESS else request.user,
        "token": "" if reader is KEYLESS else get_token(request),
    }
    return _answer(request, template, context, status)


def _answer(request: HttpRequest, template: str, context: Mapping[str, Any], status: int) -> HttpResponse:
    answer = render(request, template, context, status=status)
    answer.headers["Content-Security-Policy"] = _POLICY
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _reader(request: HttpRequest) -> Caller | None:
    """Who reads the page: whoever the API would answer in this browser."""
    return KEYLESS if keyless_use()() else person_caller(request.user)


def _navigation(reader: Caller) -> list[tuple[str, list[Page]]]:
    """The pages that `reader` can use, under their headings."""
    groups: dict[str, list[Page]] = {}
    for page in PAGES:
        if page.needs in reader.scopes:
            groups.setdefault(page.group, []).append(page)
    return list(groups.items())
