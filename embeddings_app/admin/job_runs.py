"""The runs of periodic jobs, to look at."""

import json
from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import ChoicesRadioFilter, DropdownFilter
from unfold.decorators import display

from embeddings_app.admin.read_only import ReadOnlyAdmin
from embeddings_app.models import JobRun, RunOutcome
from embeddings_app.services.jobs.table import JOBS

OUTCOME_COLOURS = {
    str(RunOutcome.OK): "success",
    str(RunOutcome.FAILED): "danger",
    str(RunOutcome.ABANDONED): "warning",
}


class _JobFilter(DropdownFilter):
    title = parameter_name = "job"

    def lookups(self, _request: HttpRequest, _admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in JOBS]

    def queryset(self, _request: HttpRequest, runs: QuerySet[JobRun]) -> QuerySet[JobRun]:
        return runs.filter(job=self.value()) if self.value() else runs


@admin.register(JobRun)
class JobRunAdmin(ReadOnlyAdmin):
    list_display = ("started_at", "job", "outcome_label", "error", "seconds", "shown_result", "holder")
    list_filter = (_JobFilter, ("outcome", ChoicesRadioFilter))
    ordering = ("-id",)
    sortable_by = ()
    fields = ("job", "outcome", "error", "started_at", "ended_at", "shown_result", "holder")

    @display(description="outcome", label=OUTCOME_COLOURS)
    def outcome_label(self, run: JobRun) -> str:
        return run.outcome

    @display(description="took")
    def seconds(self, run: JobRun) -> str:
        return f"{(run.ended_at - run.started_at).total_seconds():.2f} s"

    @display(description="result", empty_value="")
    def shown_result(self, run: JobRun) -> str:
        return result_text(run.result)


def result_text(result: Mapping[str, Any]) -> str:
    """The result of a run on one line."""
    return ", ".join(f"{name.replace('_', ' ')}: {_plain(value)}" for name, value in result.items())


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list):
        return ", ".join(map(_plain, value)) or "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
