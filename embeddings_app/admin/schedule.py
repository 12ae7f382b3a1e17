"""Periodic jobs: how often beat sends each, whether it does, how the last run ended, and a way to run one now."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.admin import PeriodicTask
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, SolarSchedule
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.views import ChangeList
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from embedding_project.contracts.errors import ServiceError
from embeddings_app.admin.dialogs import dialog, go_to
from embeddings_app.admin.job_runs import OUTCOME_COLOURS, result_text
from embeddings_app.models import JobState
from embeddings_app.records.schedule import seconds_of, seconds_to_next
from embeddings_app.services.audit import admin_actor
from embeddings_app.services.jobs.schedule import (
    ScheduleRefused,
    change_schedule,
    check_schedule,
    interval_bounds,
    run_now,
)
from embeddings_app.services.jobs.table import JOBS

# The app's own pages know no bounds, and would let a job be switched off that keeps the service going.
for _model in (PeriodicTask, ClockedSchedule, CrontabSchedule, IntervalSchedule, SolarSchedule):
    admin.site.unregister(_model)
_NEVER = "never"


class ScheduleForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    """The two things that an operator decides."""

    every_seconds = forms.IntegerField(label="Every (seconds)", min_value=1, widget=UnfoldAdminIntegerFieldWidget)

    class Meta:
        model = PeriodicTask
        fields = ("enabled",)

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        job = JOBS.get(self.instance.name)
        if job is None or "every_seconds" not in self.fields:
            return  # only shown
        self.initial["every_seconds"] = seconds_of(self.instance)
        self.fields["every_seconds"].help_text = f"{interval_bounds(job)}; {job.every_seconds:,} at first"
        self.fields["enabled"].help_text = (
            "The service needs this job: it cannot be switched off." if job.essential else "Beat sends it."
        )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        every = values.get("every_seconds")
        if every is not None:
            try:
                check_schedule(JOBS[self.instance.name], every, enabled=values["enabled"])
            except ScheduleRefused as refused:
                self.add_error(refused.field, refused.message)
        return values


class _JobList(ChangeList):
    """Puts the last run to each job of the page."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        states = {state.job: state for state in JobState.objects.all()}
        for entry in self.result_list:
            entry.last_state = states.get(entry.name)


@admin.register(PeriodicTask)
class ScheduleAdmin(ModelAdmin):
    form = ScheduleForm
    list_display = ("job", "every", "switch", "last_outcome", "last_run", "last_result", "next_run")
    list_select_related = ("interval",)
    list_fullwidth = True
    ordering = ("name",)
    sortable_by = ()
    actions = ("run_selected",)
    actions_detail = ("run_one",)
    readonly_fields = ("job_name", "does", "last_outcome", "last_error", "last_run", "last_result", "next_run")
    fieldsets = (
        (None, {"fields": ("job_name", "does", "every_seconds", "enabled")}),
        ("Last run", {"fields": (("last_outcome", "last_error"), ("last_run", "next_run"), "last_result")}),
    )

    def get_changelist(self, _request: HttpRequest, **_more: Any) -> type[ChangeList]:
        return _JobList

    def has_add_permission(self, _request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        return False

    def has_run_permission(self, request: HttpRequest, _key: Any = None) -> bool:
        return request.user.has_perm("django_celery_beat.change_periodictask")

    @display(description="job", header=True)
    def job(self, entry: PeriodicTask) -> list[str]:
        return [entry.name, entry.description]

    @display(description="job")
    def job_name(self, entry: PeriodicTask) -> str:
        return str(entry.name)

    @display(description="what it does")
    def does(self, entry: PeriodicTask) -> str:
        return str(entry.description)

    @display(description="every")
    def every(self, entry: PeriodicTask) -> str:
        return _duration(seconds_of(entry))

    @display(description="switched", label={"on": "success", "off": "warning"})
    def switch(self, entry: PeriodicTask) -> str:
        return "on" if entry.enabled else "off"

    @display(description="last outcome", label=OUTCOME_COLOURS)
    def last_outcome(self, entry: PeriodicTask) -> str:
        state = _state(entry)
        return state.outcome if state else _NEVER

    @display(description="error", empty_value="")
    def last_error(self, entry: PeriodicTask) -> str:
        state = _state(entry)
        return state.error if state else ""

    @display(description="last run")
    def last_run(self, entry: PeriodicTask) -> str:
        state = _state(entry)
        if state is None:
            return _NEVER
        seconds = (state.ended_at - state.started_at).total_seconds()
        return f"{_moment(state.ended_at)}, took {seconds:.1f} s"

    @display(description="result", empty_value="")
    def last_result(self, entry: PeriodicTask) -> str:
        state = _state(entry)
        return result_text(state.result) if state else ""

    @display(description="next run")
    def next_run(self, entry: PeriodicTask) -> str:
        seconds = seconds_to_next(entry)
        return "switched off" if seconds is None else f"in {_duration(round(seconds))}" if seconds >= 1 else "now"

    def save_model(self, request: HttpRequest, obj: PeriodicTask, form: ScheduleForm, _change: bool) -> None:
        every, enabled = form.cleaned_data["every_seconds"], form.cleaned_data["enabled"]
        change_schedule(JOBS[obj.name], every, admin_actor(request.user.get_username()), enabled=enabled)

    @admin.action(description="Run now", permissions=["run"])
    def run_selected(self, request: HttpRequest, entries: QuerySet[PeriodicTask]) -> None:
        for entry in entries:
            self._run(request, entry)

    @action(
        description="Run now",
        permissions=["run"],
        icon="play_arrow",
        url_path="run",
        dialog=dialog("Run this job now", "An indexer runs it once, unless it is running already.", "Run"),
    )
    def run_one(self, request: HttpRequest, _form: object, object_id: str) -> HttpResponse:
        entry = get_object_or_404(PeriodicTask, pk=object_id)
        self._run(request, entry)
        return go_to(request, reverse("admin:django_celery_beat_periodictask_change", args=(entry.pk,)))

    def _run(self, request: HttpRequest, entry: PeriodicTask) -> None:
        try:
            run_now(JOBS[entry.name], admin_actor(request.user.get_username()))
        except ServiceError as error:
            self.message_user(request, f"{entry.name}: {error.message}", messages.ERROR)
        else:
            self.message_user(request, f"{entry.name} was sent; its result shows here in a moment", messages.SUCCESS)


def _state(entry: PeriodicTask) -> JobState | None:
    if not hasattr(entry, "last_state"):
        entry.last_state = JobState.objects.filter(job=entry.name).first()
    state: JobState | None = entry.last_state
    return state


def _duration(seconds: int) -> str:
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds / 60:.3g} min" if seconds < 7_200 else f"{seconds / 3_600:.3g} h"


def _moment(moment: datetime) -> str:
    ago = timezone.now() - moment
    return f"{max(ago.total_seconds(), 0):.0f} s ago" if ago < timedelta(minutes=2) else f"{moment:%Y-%m-%d %H:%M:%S}"
