"""Actions that ask before they act. What they change is sent by a form with a token, never by following a link."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect


def dialog(title: str, description: str, button: str, form_class: type[Any] | None = None) -> dict[str, Any]:
    """The question that django-unfold shows before an action; without a form class there is only the button."""
    return {"title": title, "description": description, "form_submit_text": button, "form_class": form_class}


def go_to(request: HttpRequest, url: str) -> HttpResponse:
    """Leave the dialog for a page. A dialog is sent by htmx, which follows redirects of its own kind only."""
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": url})
    return HttpResponseRedirect(url)
