"""The audit log, to read."""

import json
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter
from unfold.decorators import display

from embeddings_app.admin.read_only import ReadOnlyAdmin
from embeddings_app.models import AuditEvent

_RECENT_EVENTS = 1_000


class _RecentValues(DropdownFilter):
    """Offers what the last events hold. All there ever were would cost a look at each."""

    def lookups(self, _request: HttpRequest, _admin: Any) -> list[tuple[str, str]]:
        recent = AuditEvent.objects.order_by("-id").values_list(self.parameter_name, flat=True)[:_RECENT_EVENTS]
        return [(value, value) for value in sorted(set(recent))]

    def queryset(self, _request: HttpRequest, events: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
        return events.filter(**{self.parameter_name: self.value()}) if self.value() else events


class _ActionFilter(_RecentValues):
    title = parameter_name = "action"


class _ActorFilter(_RecentValues):
    title = parameter_name = "actor"


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ("at", "actor", "action", "subject", "details")
    list_filter = (_ActionFilter, _ActorFilter)
    ordering = ("-id",)
    sortable_by = ()
    fields = ("at", "actor", "action", "subject", "details")

    @display(description="detail")
    def details(self, event: AuditEvent) -> str:
        return ", ".join(f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in event.detail.items())
