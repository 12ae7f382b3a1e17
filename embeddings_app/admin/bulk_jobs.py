"""Bulk jobs: how far each is, what became of its rows, and its steps."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.html import format_html
from unfold.contrib.filters.admin import ChoicesRadioFilter
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from embedding_project.wording import plural
from embeddings_app.admin.quantities import duration
from embeddings_app.admin.questions import Answer, Question, decide
from embeddings_app.admin.read_only import ReadOnlyAdmin
from embeddings_app.admin.steps import OffersSteps
from embeddings_app.models import BulkBucket, BulkJob, BulkState, BulkWish
from embeddings_app.services.audit import admin_actor
from embeddings_app.services.bulk.jobs import can, want
from embeddings_app.services.bulk.progress import Progress, progress
from embeddings_app.services.bulk.rejected import REJECT_COLUMNS, rejected_rows

SHOWN_BUCKETS = 20
_STATE_COLOURS = {
    str(BulkState.DONE): "success",
    str(BulkState.FAILED): "danger",
    str(BulkState.ABORTED): "danger",
    str(BulkState.ABORTING): "warning",
}
_OUTCOMES = ("read", "inserted", "updated", "unchanged", "superseded", "duplicates", "rejected")
_FORMULA = re.compile(r"[\s\x00-\x1f]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
"""With one of these signs in front, or its wide form, behind what such programs skip, programs for tables would compute
what a file names."""
_BAR = '<progress max="1" value="{}" style="width: 8rem"></progress> {} {}'
_SENTENCES = {
    BulkWish.PAUSE: "It stops after the buckets that are under way, or at once where it embeds texts.",
    BulkWish.RUN: "The role bulk goes on with it within seconds. What is loaded is not loaded again.",
    BulkWish.ABORT: "What it inserted is deleted, but not what it updated, nor what clients changed since.",
}
_WISHES = {"pause": BulkWish.PAUSE, "resume": BulkWish.RUN, "abort": BulkWish.ABORT}


@admin.register(BulkJob)
class BulkJobAdmin(OffersSteps, ReadOnlyAdmin):
    list_display = ("name", "into", "state_label", "done", "rate", "left", "actor", "created_at")
    list_filter = (("state", ChoicesRadioFilter),)
    list_select_related = ("namespace", "model_version")
    ordering = ("-id",)
    sortable_by = ()
    fields = (
        ("into", "model_version"),
        ("state_label", "wanted"),
        ("done", "rate", "left"),
        ("actor", "created_at", "ended_at"),
        ("registering", "following"),
        "outcomes",
        "error",
        "latest_buckets",
    )
    readonly_fields = (
        "into",
        "state_label",
        "done",
        "rate",
        "left",
        "outcomes",
        "latest_buckets",
        "registering",
        "following",
    )
    actions_detail = ("pause_job", "resume_job", "abort_job", "download_rejects")

    def offered(self, record: BulkJob) -> list[str]:
        return [path for path in (*_WISHES, "rejects") if _is_offered(record, path)]

    @action(description="Pause", permissions=["operate"], icon="pause", url_path="pause")
    def pause_job(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(request, object_id, "pause")

    @action(
        description="Resume",
        permissions=["operate"],
        icon="play_arrow",
        variant=ActionVariant.PRIMARY,
        url_path="resume",
    )
    def resume_job(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(request, object_id, "resume")

    @action(description="Abort", permissions=["operate"], icon="cancel", variant=ActionVariant.DANGER, url_path="abort")
    def abort_job(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(request, object_id, "abort")

    @action(description="Rejects as CSV", icon="download", url_path="rejects")
    def download_rejects(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        job = self.get_object(request, object_id)
        if job is None or not self.has_view_permission(request, job):
            raise Http404
        headers = {"Content-Disposition": f'attachment; filename="rejects-{job.pk}.csv"'}
        return StreamingHttpResponse(_csv_lines(job), content_type="text/csv; charset=utf-8", headers=headers)

    def _decide(self, request: HttpRequest, object_id: str, path: str) -> HttpResponse:
        job = self.get_object(request, object_id)
        if job is None:
            raise Http404
        actor = admin_actor(request.user.get_username())
        return decide(self, request, job, lambda: _question(job, path), lambda values: _act(job, path, actor, values))

    @display(description="job")
    def name(self, job: BulkJob) -> str:
        return str(job.pk)

    @display(description="namespace")
    def into(self, job: BulkJob) -> str:
        return job.namespace_name

    @display(description="state", label=_STATE_COLOURS)
    def state_label(self, job: BulkJob) -> str:
        return job.state

    @display(description="done")
    def done(self, job: BulkJob) -> str:
        found = _progress(job)
        return format_html(_BAR, f"{found.share:.3f}", found.stage, f"{found.share:.0%}")

    @display(description="rows / s", empty_value="")
    def rate(self, job: BulkJob) -> str | None:
        found = _progress(job)
        return None if found.rate is None else f"{found.rate:,.1f}"

    @display(description="time left", empty_value="")
    def left(self, job: BulkJob) -> str | None:
        found = _progress(job)
        return None if found.eta_seconds is None else duration(found.eta_seconds)

    @display(description="longest registering transaction", empty_value="")
    def registering(self, job: BulkJob) -> str | None:
        return None if job.registering_seconds is None else f"{1e3 * job.registering_seconds:,.0f} ms"

    @display(description="taken over by nodes after", empty_value="")
    def following(self, job: BulkJob) -> str | None:
        return None if job.following_seconds is None else f"{job.following_seconds:.1f} s"

    @display(description="rows")
    def outcomes(self, job: BulkJob) -> str:
        rows = _progress(job).rows
        return ", ".join(f"{getattr(rows, name):,} {name}" for name in _OUTCOMES)

    @display(description="latest buckets")
    def latest_buckets(self, job: BulkJob) -> str:
        found = BulkBucket.objects.filter(job=job).order_by("-loaded_at")[:SHOWN_BUCKETS]
        return "; ".join(_bucket(bucket) for bucket in found) or "none"


def _csv_lines(job: BulkJob) -> Iterator[str]:
    yield _csv_line(REJECT_COLUMNS)
    for row in rejected_rows(job):
        yield _csv_line([row.get(name) for name in REJECT_COLUMNS])


def _csv_line(values: Sequence[object]) -> str:
    out = io.StringIO()
    plain = ["" if value is None else str(value) for value in values]
    csv.writer(out).writerow([f"'{text}" if _FORMULA.match(text) else text for text in plain])
    return out.getvalue()


def _bucket(bucket: BulkBucket) -> str:
    rows = bucket.inserted + bucket.updated + bucket.unchanged + bucket.superseded + bucket.rejected
    rate = f", {rows / bucket.seconds:,.0f} rows / s" if bucket.seconds else ""
    return f"{bucket.number}: {plural(rows, 'row')} in {bucket.seconds:.1f} s{rate}"


def _progress(job: BulkJob) -> Progress:
    found: Progress | None = getattr(job, "found_progress", None)
    if found is None:
        found = job.found_progress = progress(job)  # type: ignore[attr-defined]
    return found


def _is_offered(job: BulkJob, path: str) -> bool:
    if path == "rejects":
        return bool(job.rejects_sample)
    return can(job, _WISHES[path]) and (path != "resume" or job.wanted != BulkWish.RUN or job.state == BulkState.FAILED)


def _question(job: BulkJob, path: str) -> Question:
    return Question(
        title=f"{path.capitalize()} bulk job {job.pk}",
        sentences=(_SENTENCES[_WISHES[path]],),
        refusal="" if _is_offered(job, path) else f"it is {job.state}",
        button=path.capitalize(),
    )


def _act(job: BulkJob, path: str, actor: str, _values: Mapping[str, Any]) -> Answer:
    want(job, _WISHES[path], actor, by_role=True)
    return Answer(text=f"Bulk job {job.pk} was asked to {path}")
