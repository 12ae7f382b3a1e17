"""Actions on a run: pause, resume, cancel it, and try again what failed."""

from collections.abc import Callable, Mapping
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from unfold.decorators import action
from unfold.enums import ActionVariant

from embedding_project.wording import plural
from embeddings_app.admin.dashboard_numbers import capped
from embeddings_app.admin.questions import Answer, NoFields, Question, ReasonForm, decide
from embeddings_app.admin.read_only import ReadOnlyAdmin
from embeddings_app.admin.steps import OffersSteps
from embeddings_app.admin.version_questions import cancel_question
from embeddings_app.models import LIVE_STATUSES, OPEN_STATES, ReembedRun, RunState
from embeddings_app.records.operations import count_quarantined
from embeddings_app.services.access.roles import RETRY_RECORDS
from embeddings_app.services.audit import admin_actor
from embeddings_app.services.indexing.retrying import RETRY_SECONDS, retry_all_quarantined, retry_quarantined
from embeddings_app.services.reembedding import runs

Ask = Callable[[ReembedRun], Question]
Act = Callable[[ReembedRun, str, Mapping[str, Any]], Answer]
_STATES_OF = {"pause": (RunState.RUNNING,), "resume": (RunState.PAUSED,), "cancel": OPEN_STATES}


class RetryForm(forms.Form):
    record = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1, widget=forms.HiddenInput)


class RunActions(OffersSteps, ReadOnlyAdmin):
    actions_detail = ("pause_run", "resume_run", "cancel_run", "retry_failed")

    def has_retry_permission(self, request: HttpRequest, _key: Any = None) -> bool:
        return request.user.has_perm(RETRY_RECORDS)

    def offered(self, record: ReembedRun) -> list[str]:
        return [path for path in (*_STATES_OF, "retry") if _is_offered(record, path)]

    @action(description="Pause", permissions=["operate"], icon="pause", url_path="pause")
    def pause_run(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(request, object_id, _ask_pause, _pause)

    @action(
        description="Resume",
        permissions=["operate"],
        icon="play_arrow",
        variant=ActionVariant.PRIMARY,
        url_path="resume",
    )
    def resume_run(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(request, object_id, _ask_resume, _resume)

    @action(
        description="Cancel", permissions=["operate"], icon="cancel", variant=ActionVariant.DANGER, url_path="cancel"
    )
    def cancel_run(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(request, object_id, _ask_cancel, _cancel, ReasonForm)

    @action(description="Retry failed texts", permissions=["retry"], icon="replay", url_path="retry")
    def retry_failed(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(request, object_id, _ask_retry, _retry, RetryForm)

    def _decide(
        self, request: HttpRequest, object_id: str, ask: Ask, act: Act, form_class: type[forms.Form] = NoFields
    ) -> HttpResponse:
        run = self.get_object(request, object_id)
        if run is None:
            raise Http404
        actor = admin_actor(request.user.get_username())
        return decide(self, request, run, lambda: ask(run), lambda values: act(run, actor, values), form_class)


def _is_offered(run: ReembedRun, path: str) -> bool:
    if path == "retry":
        return run.model_version.status in LIVE_STATUSES and bool(_failed(run))
    return run.state in _STATES_OF[path]


def _failed(run: ReembedRun) -> int:
    return count_quarantined([run.model_version_id])[run.model_version_id]


def _refusal(run: ReembedRun, path: str) -> str:
    return "" if _is_offered(run, path) else f"{run} is {run.state}"


def _ask_pause(run: ReembedRun) -> Question:
    return Question(
        title=f"Pause run {run.pk}",
        sentences=(
            "The run stops after the batches that are under way, and goes on where it was when you resume it.",
            f"Writes go on reaching {run.model_version}.",
        ),
        refusal=_refusal(run, "pause"),
        button="Pause",
    )


def _pause(run: ReembedRun, actor: str, _values: Mapping[str, Any]) -> Answer:
    runs.pause(run, actor)
    return Answer(text=f"Run {run.pk} is paused")


def _ask_resume(run: ReembedRun) -> Question:
    return Question(
        title=f"Resume run {run.pk}",
        sentences=("The run goes on within a few seconds. What it has done is not done again.",),
        refusal=_refusal(run, "resume"),
        button="Resume",
    )


def _resume(run: ReembedRun, actor: str, _values: Mapping[str, Any]) -> Answer:
    runs.resume(run, actor)
    return Answer(text=f"Run {run.pk} goes on")


def _ask_cancel(run: ReembedRun) -> Question:
    refusal = _refusal(run, "cancel")
    return Question(title=f"Cancel run {run.pk}", refusal=refusal) if refusal else cancel_question(run)


def _cancel(run: ReembedRun, actor: str, values: Mapping[str, Any]) -> Answer:
    runs.cancel(run, actor, values["reason"])
    return Answer(text=f"Run {run.pk} is cancelled")


def _ask_retry(run: ReembedRun) -> Question:
    return Question(
        title=f"Retry the failed texts of {run.model_version}",
        sentences=(
            "Each text is embedded again, as if it had never failed. Texts that are not kept stay in the list.",
            f"The page works on it for {RETRY_SECONDS:.0f} s at most; if texts are left, do it again.",
        ),
        facts=(("Failed texts", capped(_failed(run))),),
        refusal="" if _is_offered(run, "retry") else "there is nothing to retry",
        button="Retry",
    )


def _retry(run: ReembedRun, actor: str, values: Mapping[str, Any]) -> Answer:
    record = values["record"]
    retried = retry_quarantined([record], actor) if record else retry_all_quarantined(run.model_version, actor)
    if not retried:
        return Answer(text="Nothing is tried again: the texts are not kept. Send the documents again", ok=False)
    return Answer(text=f"Tried again: {plural(retried, 'text')}")
