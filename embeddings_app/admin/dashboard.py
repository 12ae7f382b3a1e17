"""The first page of the admin, the numbers it refreshes itself with, and the page on queues and roles."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse

from embeddings_app.admin.dashboard_numbers import UNKNOWN, dashboard_numbers
from embeddings_app.models import AuditEvent
from embeddings_app.services.operating.readiness import readiness_checks
from embeddings_app.services.operating.service_state import queue_purposes, queues, stored_state

_SHOWN_EVENTS = 8
_TILES = (
    ("requests", "Requests / s", ""),
    ("searches", "Searches / s", ""),
    ("embeds", "Embed requests / s", ""),
    ("texts", "Texts embedded / s", ""),
    ("cache_hits", "Cache hits", ""),
    ("failures", "Failed requests", ""),
    ("pending", "Pending", "/admin/embeddings_app/embeddingrecord/?state=pending"),
    ("quarantined", "Quarantined", "/admin/embeddings_app/embeddingrecord/?state=quarantined"),
    ("replicas", "Replicas ready", "/admin/embeddings_app/shardreplica/"),
    ("queued", "Messages queued", "/admin/operations/"),
)
_ROUTE_COLUMNS = ("Route", "Requests / s", "p50", "p95", "p99", "Refused", "Failed")


def fill_index(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What the template of the index shows beside django-unfold's own context."""
    may_see_events = request.user.has_perm("embeddings_app.view_auditevent")
    return context | {
        "title": "Dashboard",
        "numbers": dashboard_numbers(),
        "tiles": _TILES,
        "route_columns": _ROUTE_COLUMNS,
        "events": AuditEvent.objects.order_by("-id")[:_SHOWN_EVENTS] if may_see_events else None,
    }


def numbers(request: HttpRequest) -> HttpResponse:
    """The numbers as JSON, for those who may open the admin."""
    if not admin.site.has_permission(request):
        return JsonResponse({"error": "log in first"}, status=403)
    return JsonResponse(dashboard_numbers(), headers={"Cache-Control": "no-store"})


def operations(request: HttpRequest) -> HttpResponse:
    """Queues with their lengths, and every role and server with its state."""
    context = {
        **admin.site.each_context(request),
        "title": "Operations",
        "queues": _queue_rows(),
        "checks": sorted(readiness_checks().items()),
    }
    return TemplateResponse(request, "embeddings_app/operations.html", context)


def _queue_rows() -> list[tuple[str, str, str]]:
    """Empty while Postgres, which knows the layouts, does not answer."""
    stored, lengths = stored_state(), queues() or {}
    purposes = queue_purposes(stored.logs) if stored else {}
    return [(name, purpose, f"{lengths[name]:,}" if name in lengths else UNKNOWN) for name, purpose in purposes.items()]
