"""Actions on a model version. Each is offered while it is legal, and asks for the permission whoever sends its form."""

from collections.abc import Callable, Mapping
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from unfold.decorators import action
from unfold.enums import ActionVariant

from embeddings_app.admin import version_questions
from embeddings_app.admin.questions import Answer, NoFields, OverrideForm, Question, RateForm, ReasonForm, decide
from embeddings_app.admin.steps import OffersSteps
from embeddings_app.admin.switch_question import switch_question, verdict_on
from embeddings_app.models import OPEN_STATES, ModelRegistry, ModelStatus, ReembedRun
from embeddings_app.services.audit import admin_actor
from embeddings_app.services.model_versions.offers import Offer, offers
from embeddings_app.services.model_versions.probing import probe
from embeddings_app.services.model_versions.retiring import retire
from embeddings_app.services.model_versions.steps import illegal
from embeddings_app.services.model_versions.switching import switch
from embeddings_app.services.reembedding import runs

_MAY = ["operate"]
_PATHS = {
    "probe": Offer.PROBE,
    "fill": Offer.FILL,
    "cancel": Offer.CANCEL,
    "switch": Offer.SWITCH,
    "roll-back": Offer.ROLL_BACK,
    "retire": Offer.RETIRE,
}
Ask = Callable[[ModelRegistry], Question]
Act = Callable[[ModelRegistry, str, Mapping[str, Any]], Answer]


def open_run(version: ModelRegistry) -> ReembedRun | None:
    """The run that fills the version."""
    return ReembedRun.objects.filter(model_version=version, state__in=OPEN_STATES).first()


class VersionActions(OffersSteps):
    actions_detail = (
        "probe_version",
        "fill_version",
        "cancel_run",
        "switch_version",
        "roll_back_version",
        "retire_version",
    )

    def offered(self, record: ModelRegistry) -> list[str]:
        possible = offers(record)
        return [path for path, offer in _PATHS.items() if offer in possible]

    @action(description="Probe", permissions=_MAY, icon="science", url_path="probe")
    def probe_version(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(request, object_id, Offer.PROBE, version_questions.probe_question, _probe)

    @action(
        description="Start re-embedding", permissions=_MAY, icon="sync", variant=ActionVariant.PRIMARY, url_path="fill"
    )
    def fill_version(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(request, object_id, Offer.FILL, version_questions.fill_question, _fill, RateForm)

    @action(description="Cancel run", permissions=_MAY, icon="cancel", variant=ActionVariant.DANGER, url_path="cancel")
    def cancel_run(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(request, object_id, Offer.CANCEL, _ask_cancel, _cancel, ReasonForm)

    @action(description="Switch to it", permissions=_MAY, icon="bolt", variant=ActionVariant.PRIMARY, url_path="switch")
    def switch_version(self, request: HttpRequest, object_id: str) -> HttpResponse:
        version = self.get_object(request, object_id)
        verdict = verdict_on(version) if version else None
        form = ReasonForm if verdict is None or verdict.passed else OverrideForm
        return self._decide(request, object_id, Offer.SWITCH, switch_question, _switch, form)

    @action(
        description="Roll back to it",
        permissions=_MAY,
        icon="undo",
        variant=ActionVariant.PRIMARY,
        url_path="roll-back",
    )
    def roll_back_version(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(request, object_id, Offer.ROLL_BACK, switch_question, _switch, ReasonForm)

    @action(
        description="Retire", permissions=_MAY, icon="delete_sweep", variant=ActionVariant.DANGER, url_path="retire"
    )
    def retire_version(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(request, object_id, Offer.RETIRE, version_questions.retire_question, _retire, ReasonForm)

    def _decide(
        self,
        request: HttpRequest,
        object_id: str,
        offer: Offer,
        ask: Ask,
        act: Act,
        form_class: type[forms.Form] = NoFields,
    ) -> HttpResponse:
        version = self.get_object(request, object_id)
        if version is None:
            raise Http404
        actor = admin_actor(request.user.get_username())

        def question() -> Question:
            if offer in offers(version):
                return ask(version)
            return Question(title=str(version), refusal=illegal(version, offer.value).message)

        def answer(values: Mapping[str, Any]) -> Answer:
            if offer not in offers(version):
                raise illegal(version, offer.value)
            return act(version, actor, values)

        return decide(self, request, version, question, answer, form_class)


def _probe(version: ModelRegistry, actor: str, _values: Mapping[str, Any]) -> Answer:
    outcome = probe(version, actor)
    return Answer(text=f"{version}: {outcome.message}", ok=outcome.ok)


def _fill(version: ModelRegistry, actor: str, values: Mapping[str, Any]) -> Answer:
    run = runs.start(version, actor, documents_per_second=values["documents_per_second"])
    page = reverse("admin:embeddings_app_reembedrun_change", args=(run.pk,))
    return Answer(text=f"Run {run.pk} fills {version}", url=page)


def _ask_cancel(version: ModelRegistry) -> Question:
    run = open_run(version)
    if run is None:
        return Question(title=str(version), refusal=f"no run fills {version}")
    return version_questions.cancel_question(run)


def _cancel(version: ModelRegistry, actor: str, values: Mapping[str, Any]) -> Answer:
    run = open_run(version)
    if run is None:
        return Answer(text=f"No run fills {version}", ok=False)
    runs.cancel(run, actor, values["reason"])
    return Answer(text=f"Run {run.pk} is cancelled")


def _switch(version: ModelRegistry, actor: str, values: Mapping[str, Any]) -> Answer:
    switched = switch(version, actor, reason=values["reason"], override=values.get("override", False))
    before = switched.before
    kept = f"; {before} is kept" if before and before.status == ModelStatus.STANDBY else ""
    return Answer(text=f"{version} answers now{kept}")


def _retire(version: ModelRegistry, actor: str, values: Mapping[str, Any]) -> Answer:
    retire(version, actor, values["reason"])
    return Answer(text=f"{version} is {version.status}")
