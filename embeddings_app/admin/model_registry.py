"""Model versions: registered here as drafts, probed, activated."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import flatten_fieldsets
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import ChoicesRadioFilter
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.views import ChangeList

from embedding_project.contracts.errors import ServiceError
from embeddings_app.admin.dashboard_numbers import capped
from embeddings_app.admin.dialogs import dialog, go_to
from embeddings_app.admin.model_form import HELP, ModelVersionForm
from embeddings_app.models import EDITABLE_STATUSES, LIVE_STATUSES, ModelRegistry, ModelStatus
from embeddings_app.records.operations import count_quarantined
from embeddings_app.services import audit
from embeddings_app.services.access.roles import OPERATE_VERSIONS
from embeddings_app.services.model_versions.probing import probe
from embeddings_app.services.model_versions.switching import switch

_THRESHOLDS = (
    *("gate_samples", "gate_recall", "gate_overlap", "gate_slowdown", "gate_ndcg_drop"),
    "recall_target",
)
"""Fields that say nothing about the vectors, so that they may change at any time."""
_STATUS_COLOURS = {
    ModelStatus.DRAFT.label: "info",
    ModelStatus.PROBED.label: "info",
    ModelStatus.BACKFILLING.label: "warning",
    ModelStatus.SHADOW.label: "warning",
    ModelStatus.ACTIVE.label: "success",
}


class _CountingChangeList(ChangeList):
    """Puts the number of quarantined records to each version of the page."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        counts = count_quarantined([version.pk for version in self.result_list])
        for version in self.result_list:
            version.quarantined_count = counts[version.pk]


@admin.register(ModelRegistry)
class ModelRegistryAdmin(ModelAdmin):
    list_display = ("model_id", "version", "type", "dimension", "status_label", "probe_state", "quarantined")
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
        ("How it is run", {"fields": (("runtime", "dtype"), "token_encoding")}),
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
    actions = ("probe_versions", "activate_versions")
    actions_detail = ("probe_version", "activate_version")
    warn_unsaved_form = True

    def get_changelist(self, _request: HttpRequest, **_more: Any) -> type[ChangeList]:
        return _CountingChangeList

    def get_form(self, request: HttpRequest, obj: ModelRegistry | None = None, **more: Any) -> Any:
        return super().get_form(request, obj, **{"help_texts": HELP, **more})

    @display(description="status", label=_STATUS_COLOURS)
    def status_label(self, version: ModelRegistry) -> str:
        return str(ModelStatus(version.status).label)

    @display(description="probe")
    def probe_state(self, version: ModelRegistry) -> str:
        if version.probed_at is None:
            return "not probed"
        return version.probe_error or f"passed {version.probed_at:%Y-%m-%d %H:%M}"

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

    def has_operate_permission(self, request: HttpRequest, _key: Any = None) -> bool:
        """Whether the user may probe and activate, in any state of the version."""
        return request.user.has_perm(OPERATE_VERSIONS)

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

    @admin.action(description="Probe: embed a few texts and check the vectors", permissions=["operate"])
    def probe_versions(self, request: HttpRequest, versions: QuerySet[ModelRegistry]) -> None:
        self._each(request, versions, self._probe)

    @admin.action(description="Activate: answer with this version", permissions=["operate"])
    def activate_versions(self, request: HttpRequest, versions: QuerySet[ModelRegistry]) -> None:
        self._each(request, versions, self._activate)

    @action(
        description="Probe",
        permissions=["operate"],
        icon="science",
        url_path="probe",
        dialog=dialog("Probe this version", "A few texts are embedded and their vectors checked.", "Probe"),
    )
    def probe_version(self, request: HttpRequest, _form: object, object_id: str) -> HttpResponse:
        return self._one(request, object_id, self._probe)

    @action(
        description="Activate",
        permissions=["operate"],
        icon="bolt",
        variant=ActionVariant.PRIMARY,
        url_path="activate",
        dialog=dialog(
            "Activate this version",
            "From now on the model answers with it; the version that answered until now is retired.",
            "Activate",
        ),
    )
    def activate_version(self, request: HttpRequest, _form: object, object_id: str) -> HttpResponse:
        return self._one(request, object_id, self._activate)

    def _one(
        self, request: HttpRequest, object_id: str, act: Callable[[HttpRequest, ModelRegistry], None]
    ) -> HttpResponse:
        version = get_object_or_404(ModelRegistry, pk=object_id)
        self._each(request, [version], act)
        return go_to(request, reverse("admin:embeddings_app_modelregistry_change", args=(version.pk,)))

    def _each(
        self,
        request: HttpRequest,
        versions: "QuerySet[ModelRegistry] | list[ModelRegistry]",
        act: Callable[[HttpRequest, ModelRegistry], None],
    ) -> None:
        for version in versions:
            try:
                act(request, version)
            except ServiceError as error:
                self.message_user(request, f"{version}: {error.message}", messages.ERROR)

    def _probe(self, request: HttpRequest, version: ModelRegistry) -> None:
        outcome = probe(version, _actor(request))
        self.message_user(request, f"{version}: {outcome.message}", messages.SUCCESS if outcome.ok else messages.ERROR)
        self.log_change(request, version, f"Probed: {outcome.message}")

    def _activate(self, request: HttpRequest, version: ModelRegistry) -> None:
        switch(version, _actor(request))
        self.message_user(request, f"{version} is active", messages.SUCCESS)
        self.log_change(request, version, "Activated")


def _actor(request: HttpRequest) -> str:
    return audit.admin_actor(request.user.get_username())
