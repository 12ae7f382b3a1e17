"""Where each document stands under each model version; quarantined ones get another try from here."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.text import Truncator
from unfold.contrib.filters.admin import RadioFilter, RelatedDropdownFilter
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminSelectWidget

from embedding_project.wording import plural
from embeddings_app.admin.dialogs import dialog, go_to
from embeddings_app.admin.read_only import ReadOnlyAdmin
from embeddings_app.models import EmbeddingRecord, ModelRegistry, RecordState
from embeddings_app.services.access.roles import RETRY_RECORDS
from embeddings_app.services.audit import admin_actor
from embeddings_app.services.indexing.retrying import retry_all_quarantined, retry_quarantined

STATE_COLOURS = {
    str(RecordState.PENDING): "info",
    str(RecordState.READY): "success",
    str(RecordState.QUARANTINED): "danger",
}
_PREVIEW_CHARACTERS = 80
_MAX_SELECTED = 10_000
_STATE_PARAMETER = "state"


class RecordColumns:
    """Columns that a list of records has, on a page of its own and below a document."""

    @display(description="state", label=STATE_COLOURS)
    def state_label(self, record: EmbeddingRecord) -> str:
        return record.state

    @display(description="embedded text")
    def embedded(self, record: EmbeddingRecord) -> str:
        if record.text_revision == 0:
            return "none yet"
        stale = record.text_revision < record.document.text_revision
        return f"revision {record.text_revision}" + (", stale" if stale else "")


class _VersionForm(BaseDialogForm):
    version = forms.ModelChoiceField(
        queryset=ModelRegistry.objects.all(), empty_label=None, label="Model version", widget=UnfoldAdminSelectWidget
    )


_INDEXED_STATES = (RecordState.PENDING, RecordState.QUARANTINED)


class _StateFilter(RadioFilter):
    """The two states that have an index of their own. Any other record is found by way of its document."""

    title = "state"
    parameter_name = _STATE_PARAMETER

    def lookups(self, _request: HttpRequest, _admin: Any) -> list[tuple[str, str]]:
        return [(state.value, str(state.label)) for state in _INDEXED_STATES]

    def queryset(self, _request: HttpRequest, records: QuerySet[EmbeddingRecord]) -> QuerySet[EmbeddingRecord]:
        return records.filter(state=self.value()) if self.value() in _INDEXED_STATES else records


@admin.register(EmbeddingRecord)
class EmbeddingRecordAdmin(RecordColumns, ReadOnlyAdmin):
    list_display = ("document", "model_version", "state_label", "embedded", "attempts", "next_attempt_at", "error")
    list_select_related = ("document", "model_version")
    sortable_by = ()
    actions = ("retry_selected",)
    actions_list = ("retry_version",)
    fields = (
        "document",
        "model_version",
        "state",
        "text_revision",
        "attempts",
        "batch_limit",
        "next_attempt_at",
        "lease_until",
        "last_error",
        "created_at",
    )

    def has_retry_permission(self, request: HttpRequest, _obj: Any = None) -> bool:
        return request.user.has_perm(RETRY_RECORDS)

    def get_list_filter(self, request: HttpRequest) -> tuple[Any, ...]:
        """By version only among quarantined records, whose index begins with it."""
        if request.GET.get(_STATE_PARAMETER) == RecordState.QUARANTINED:
            return (_StateFilter, ("model_version", RelatedDropdownFilter))
        return (_StateFilter,)

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """The order of the partial index of each state, so that a page is the beginning of a walk along it."""
        if request.GET.get(_STATE_PARAMETER) == RecordState.PENDING:
            return ("next_attempt_at",)
        if request.GET.get(_STATE_PARAMETER) == RecordState.QUARANTINED:
            return ("model_version_id", "id")
        return ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[EmbeddingRecord]:
        records: QuerySet[EmbeddingRecord] = super().get_queryset(request)
        return records.defer("document__text", "document__metadata")

    @display(description="last error", empty_value="")
    def error(self, record: EmbeddingRecord) -> str:
        return Truncator(record.last_error).chars(_PREVIEW_CHARACTERS)

    @admin.action(description="Retry: embed quarantined ones again", permissions=["retry"])
    def retry_selected(self, request: HttpRequest, records: QuerySet[EmbeddingRecord]) -> None:
        keys = list(records.filter(state=RecordState.QUARANTINED).values_list("pk", flat=True)[:_MAX_SELECTED])
        retried = retry_quarantined(keys, admin_actor(request.user.get_username()))
        self._report(request, retried)
        if retried < len(keys):
            self.message_user(
                request, f"{len(keys) - retried} stay: their text is not kept, send it again", messages.WARNING
            )

    @action(
        description="Retry all quarantined",
        permissions=["retry"],
        icon="replay",
        variant=ActionVariant.PRIMARY,
        url_path="retry-quarantined",
        dialog=dialog(
            "Retry all quarantined records",
            "Every quarantined text of the version is embedded again, as if it had never failed.",
            "Retry",
            _VersionForm,
        ),
    )
    def retry_version(self, request: HttpRequest, form: _VersionForm) -> HttpResponse:
        version: ModelRegistry = form.cleaned_data["version"]
        self._report(request, retry_all_quarantined(version, admin_actor(request.user.get_username())))
        return go_to(request, reverse("admin:embeddings_app_embeddingrecord_changelist"))

    def _report(self, request: HttpRequest, retried: int) -> None:
        if retried:
            self.message_user(request, f"Tried again: {plural(retried, 'record')}", messages.SUCCESS)
        else:
            self.message_user(request, "No quarantined record with a text was among them", messages.WARNING)
