"""Model versions: registered here as drafts; then probed, filled, switched to and retired by actions."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import flatten_fieldsets, unquote
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.contrib.filters.admin import ChoicesRadioFilter
from unfold.decorators import display
from unfold.views import ChangeList

from embeddings_app.admin.dashboard_numbers import capped
from embeddings_app.admin.model_form import HELP, ModelVersionForm
from embeddings_app.admin.version_actions import VersionActions
from embeddings_app.admin.version_page import version_state
from embeddings_app.models import EDITABLE_STATUSES, LIVE_STATUSES, ModelRegistry, ModelStatus
from embeddings_app.records.operations import count_quarantined
from embeddings_app.records.version_counts import count_documents, count_vectors
from embeddings_app.services import audit

_THRESHOLDS = (
    *("gate_samples", "gate_recall", "gate_overlap", "gate_slowdown", "gate_ndcg_drop"),
    "recall_target",
)
"""Fields that say nothing about the vectors, so that they may change at any time."""
_STATUS_COLOURS = {
    str(ModelStatus.DRAFT): "info",
    str(ModelStatus.PROBED): "info",
    str(ModelStatus.BACKFILLING): "warning",
    str(ModelStatus.SHADOW): "warning",
    str(ModelStatus.ACTIVE): "success",
    str(ModelStatus.STANDBY): "info",
}


class _CountingChangeList(ChangeList):
    """Puts what it holds to each version of the page."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        keys = [version.pk for version in self.result_list]
        quarantined, vectors = count_quarantined(keys), count_vectors(keys)
        documents = count_documents([version.model_id for version in self.result_list])
        for version in self.result_list:
            version.quarantined_count = quarantined[version.pk]
            version.vector_count = vectors[version.pk]
            version.document_count = documents[version.model_id]


@admin.register(ModelRegistry)
class ModelRegistryAdmin(VersionActions):
    list_display = ("model_id", "version", "type", "dimension", "status_label", "held", "probe_outcome", "quarantined")
    list_fullwidth = True
    sortable_by = ()
    list_filter = (("status", ChoicesRadioFilter), ("type", ChoicesRadioFilter))
    list_filter_submit = True
    search_fields = ("model_id",)
    search_help_text = "Part of the model id"
    readonly_fields = ("status", "probe_state", "created_at")
    fieldsets = (
        (None, {"fields": (("model_id", "version"), ("status", "probe_state"), "created_at")}),
        ("Where the vectors come from", {"fields": ("type", "artifact", "modality")}),
        (
            "Behind an endpoint",
            {
                "fields": (("endpoint", "endpoint_model"), ("secret_name", "requests_per_minute")),
                "description": "For models of type openai only.",
            },
        ),
        (
            "How they are made",
            {
                "fields": (("dimension", "min_dimension"), ("max_tokens", "pooling"), "normalize"),
                "description": "What is left blank is read from the files of a transformers model.",
            },
        ),
        (
            "Put before every text",
            {
                "fields": ("query_prompt", "document_prompt"),
                "description": "Blank in a new version: as the files say. Blank in a draft that is changed: nothing.",
            },
        ),
        ("How it is run", {"fields": (("runtime", "dtype"), ("token_encoding", "storage"))}),
        (
            "How good it must be",
            {
                "fields": (
                    ("gate_samples", "gate_recall", "gate_overlap"),
                    ("gate_slowdown", "gate_ndcg_drop"),
                    "recall_target",
                ),
                "description": "What is asked of a new version before it answers, and of searches with ef_search auto.",
            },
        ),
    )
    form = ModelVersionForm
    warn_unsaved_form = True
    change_form_outer_before_template = "embeddings_app/version_state.html"

    def get_changelist(self, _request: HttpRequest, **_more: Any) -> type[ChangeList]:
        return _CountingChangeList

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        version = self.get_object(request, unquote(object_id))
        state = version_state(version) if version and self.has_view_permission(request, version) else None
        response: HttpResponse = super().change_view(
            request, object_id, form_url, {**(extra_context or {}), "state": state}
        )
        return response

    def get_form(self, request: HttpRequest, obj: ModelRegistry | None = None, **more: Any) -> Any:
        return super().get_form(request, obj, **{"help_texts": HELP, **more})

    @display(description="status", label=_STATUS_COLOURS)
    def status_label(self, version: ModelRegistry) -> str:
        return version.status

    @display(description="probe")
    def probe_state(self, version: ModelRegistry) -> str:
        if version.probed_at is None:
            return "not probed"
        return version.probe_error or f"passed {version.probed_at:%Y-%m-%d %H:%M}"

    @display(description="probe", label={"passed": "success", "failed": "danger"})
    def probe_outcome(self, version: ModelRegistry) -> str:
        return "none" if version.probed_at is None else "failed" if version.probe_error else "passed"

    @display(description="vectors")
    def held(self, version: ModelRegistry) -> str:
        return f"{getattr(version, 'vector_count', '')} of {getattr(version, 'document_count', '')}"

    @display(description="quarantined")
    def quarantined(self, version: ModelRegistry) -> str:
        return capped(getattr(version, "quarantined_count", 0))

    def get_readonly_fields(self, request: HttpRequest, obj: ModelRegistry | None = None) -> tuple[str, ...]:
        """Of a version that has vectors, all that they were made with."""
        if obj is None or obj.status in EDITABLE_STATUSES:
            return self.readonly_fields
        shown: list[str] = flatten_fieldsets(self.get_fieldsets(request, obj))
        return tuple(name for name in shown if name not in _THRESHOLDS)

    def has_change_permission(self, request: HttpRequest, obj: ModelRegistry | None = None) -> bool:
        """A version that has ended is only shown."""
        allowed: bool = super().has_change_permission(request, obj)
        return allowed and (obj is None or obj.status in (*EDITABLE_STATUSES, *LIVE_STATUSES))

    def has_delete_permission(self, request: HttpRequest, obj: ModelRegistry | None = None) -> bool:
        allowed: bool = super().has_delete_permission(request, obj)
        return allowed and (obj is None or obj.status in EDITABLE_STATUSES)

    def save_model(self, request: HttpRequest, obj: ModelRegistry, form: ModelVersionForm, change: bool) -> None:
        if not change or set(form.changed_data).difference(_THRESHOLDS):
            # What a probe found out holds for the fields it ran with.
            obj.probed_at, obj.probe_error, obj.status = None, "", ModelStatus.DRAFT
            obj.save()
        else:
            obj.auto_ef_at = None  # the breadth is found again, for another target
            # Nothing else: the version may have taken a step meanwhile.
            obj.save(update_fields=[*_THRESHOLDS, "auto_ef_at"])
        audit.record(_actor(request), "model.changed" if change else "model.registered", str(obj))

    def delete_model(self, request: HttpRequest, obj: ModelRegistry) -> None:
        audit.record(_actor(request), "model.deleted", str(obj))
        obj.delete()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[ModelRegistry]) -> None:
        for version in queryset:
            self.delete_model(request, version)


def _actor(request: HttpRequest) -> str:
    return audit.admin_actor(request.user.get_username())
