"""Runs that fill model versions: how far they are, and what failed."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, path
from unfold.contrib.filters.admin import ChoicesRadioFilter
from unfold.decorators import display

from embeddings_app.admin.paging import EstimatedChangeList
from embeddings_app.admin.quantities import about, duration
from embeddings_app.admin.run_actions import RunActions
from embeddings_app.admin.run_numbers import RUN_TILES, run_numbers, time_left
from embeddings_app.models import ReembedRun, RunState
from embeddings_app.services.reembedding.progress import RunProgress, failed_texts, progress, progresses

FAILED_PARAMETER = "failed_after"
SHOWN_FAILED = 50
TEXT_NOT_KEPT = "text_not_kept"
"""Why a record is quarantined that no retry can help."""
_STATE_COLOURS = {
    str(RunState.RUNNING): "info",
    str(RunState.PAUSED): "warning",
    str(RunState.FINISHED): "success",
    str(RunState.CANCELLED): "danger",
}


class _ProgressChangeList(EstimatedChangeList):
    """Puts how far it is to each run of the page, all in one query."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        found = progresses(self.result_list)
        for run in self.result_list:
            run.found_progress = found[run.pk]


@admin.register(ReembedRun)
class ReembedRunAdmin(RunActions):
    list_display = ("name", "model_version", "state_label", "done", "rate", "left", "started_by", "started_at", "took")
    list_filter = (("state", ChoicesRadioFilter),)
    list_select_related = ("model_version",)
    list_fullwidth = True
    ordering = ("-id",)
    sortable_by = ()
    fields = (
        ("model_version", "state_label"),
        ("started_by", "started_at"),
        ("ended_at", "took"),
        ("limit", "expected"),
    )
    readonly_fields = ("state_label", "took", "limit", "expected")
    change_form_outer_before_template = "embeddings_app/reembed_run.html"

    def get_changelist(self, _request: HttpRequest, **_more: Any) -> type[EstimatedChangeList]:
        return _ProgressChangeList

    def get_urls(self) -> list[URLPattern]:
        found: list[URLPattern] = super().get_urls()
        return [path("<int:key>/progress.json", self.numbers, name="embeddings_app_reembedrun_numbers"), *found]

    def numbers(self, request: HttpRequest, key: int) -> HttpResponse:
        """The numbers of the page as JSON, for those who may open it."""
        if not (self.admin_site.has_permission(request) and self.has_view_permission(request)):
            return JsonResponse({"error": "log in first"}, status=403)
        run = self.get_object(request, str(key))
        if run is None:
            raise Http404
        return JsonResponse(run_numbers(run), headers={"Cache-Control": "no-store"})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        run = self.get_object(request, unquote(object_id))
        seen = run is not None and self.has_view_permission(request, run)
        shown = {"shown": self._shown(request, run) if seen else None}
        response: HttpResponse = super().change_view(request, object_id, form_url, (extra_context or {}) | shown)
        return response

    def _shown(self, request: HttpRequest, run: ReembedRun) -> dict[str, Any]:
        given = request.GET.get(FAILED_PARAMETER, "")
        after = int(given) if given.isdecimal() and len(given) < 19 else 0
        failed = failed_texts(run, after, SHOWN_FAILED + 1)
        page = failed[:SHOWN_FAILED]
        return {
            "numbers": run_numbers(run),
            "tiles": RUN_TILES,
            "failed": page,
            "first_page": not after,
            "parameter": FAILED_PARAMETER,
            "next_after": page[-1].record_key if len(failed) > SHOWN_FAILED else None,
            "may_retry": self.has_retry_permission(request),
            "hopeless": TEXT_NOT_KEPT,
        }

    @display(description="run")
    def name(self, run: ReembedRun) -> str:
        return str(run.pk)

    @display(description="state", label=_STATE_COLOURS)
    def state_label(self, run: ReembedRun) -> str:
        return run.state

    @display(description="done")
    def done(self, run: ReembedRun) -> str:
        found = _progress(run)
        return f"{found.share:.0%} of {found.total:,}"

    @display(description="documents / s")
    def rate(self, run: ReembedRun) -> str:
        return f"{_progress(run).documents_per_second:,.1f}"

    @display(description="time left")
    def left(self, run: ReembedRun) -> str:
        return time_left(run, _progress(run).seconds_left)

    @display(description="took", empty_value="goes on")
    def took(self, run: ReembedRun) -> str | None:
        return duration((run.ended_at - run.started_at).total_seconds()) if run.ended_at else None

    @display(description="limit of the rate")
    def limit(self, run: ReembedRun) -> str:
        return f"{run.documents_per_second:g} documents / s" if run.documents_per_second else "none"

    @display(description="expected at the start")
    def expected(self, run: ReembedRun) -> str:
        seconds = run.estimate.get("seconds")
        tokens = f"about {run.estimate.get('tokens', 0):,} tokens"
        return tokens if seconds is None else f"{tokens}, {about(seconds)}"


def _progress(run: ReembedRun) -> RunProgress:
    found: RunProgress = getattr(run, "found_progress", None) or progress(run)
    return found
