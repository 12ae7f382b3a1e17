"""Model versions: registered here as drafts, probed, activated."""

from collections.abc import Callable

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from embedding_project.contracts.errors import ServiceError
from embeddings_app.models import ModelRegistry, ModelStatus
from embeddings_app.services import audit
from embeddings_app.services.model_lifecycle import activate, probe


@admin.register(ModelRegistry)
class ModelRegistryAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    list_display = ("model_id", "version", "type", "dimension", "status", "probe_state")
    list_filter = ("status", "type")
    search_fields = ("model_id",)
    readonly_fields = ("status", "probed_at", "probe_error", "created_at")
    actions = ("probe_versions", "activate_versions")

    @admin.display(description="probe")
    def probe_state(self, version: ModelRegistry) -> str:
        if version.probed_at is None:
            return "not probed"
        return version.probe_error or f"passed {version.probed_at:%Y-%m-%d %H:%M}"

    def has_change_permission(self, request: HttpRequest, obj: ModelRegistry | None = None) -> bool:
        """A version that ever answered is only shown, since its vectors were made with its fields."""
        allowed = super().has_change_permission(request, obj)
        return allowed and (obj is None or obj.status == ModelStatus.DRAFT)

    def has_delete_permission(self, request: HttpRequest, obj: ModelRegistry | None = None) -> bool:
        allowed = super().has_delete_permission(request, obj)
        return allowed and (obj is None or obj.status == ModelStatus.DRAFT)

    def save_model(self, request: HttpRequest, obj: ModelRegistry, _form: object, change: bool) -> None:
        # What a probe found out holds for the fields it ran with.
        obj.probed_at, obj.probe_error = None, ""
        obj.save()
        audit.record(_actor(request), "model.changed" if change else "model.registered", str(obj))

    @admin.action(description="Probe: embed a few texts and check the vectors", permissions=["change"])
    def probe_versions(self, request: HttpRequest, versions: QuerySet[ModelRegistry]) -> None:
        self._each(request, versions, self._probe)

    @admin.action(description="Activate: answer with this version", permissions=["change"])
    def activate_versions(self, request: HttpRequest, versions: QuerySet[ModelRegistry]) -> None:
        self._each(request, versions, self._activate)

    def _each(
        self,
        request: HttpRequest,
        versions: QuerySet[ModelRegistry],
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
        activate(version, _actor(request))
        self.message_user(request, f"{version} is active", messages.SUCCESS)
        self.log_change(request, version, "Activated")


def _actor(request: HttpRequest) -> str:
    return audit.admin_actor(request.user.get_username())
