"""`manage.py reembed estimate | start | list | show | pause | resume | cancel`: runs that fill a model version."""

from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandError, CommandParser

from embedding_project.contracts.errors import ServiceError
from embedding_project.wording import plural
from embeddings_app.management.commands.models import add_version
from embeddings_app.management.service_command import ServiceCommand
from embeddings_app.models import ReembedRun
from embeddings_app.services import audit
from embeddings_app.services.model_versions.reading import find_version
from embeddings_app.services.reembedding import runs
from embeddings_app.services.reembedding.estimating import Estimate, estimate
from embeddings_app.services.reembedding.progress import failed_texts, progress


class Command(ServiceCommand):
    help = "Give the documents of a model vectors of a new version, while the service goes on."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        add_version(actions.add_parser("estimate", help="say what a run would take"))
        starting = actions.add_parser("start", help="begin a run; prints its number")
        add_version(starting)
        starting.add_argument("--documents-per-second", type=float, help="the fastest it may be; left out: no limit")
        actions.add_parser("list", help="show all runs")
        for name, text in (
            ("show", "show how far a run is, and the documents that failed"),
            ("pause", "stop a run after the batches that are under way"),
            ("resume", "go on with a paused run"),
            ("cancel", "end a run and remove the vectors that it made"),
        ):
            actions.add_parser(name, help=text).add_argument("run", type=int)

    def handle(self, *args: Any, **options: Any) -> None:
        acts: dict[str, Callable[[dict[str, Any]], None]] = {
            "estimate": self._estimate,
            "start": self._start,
            "list": self._list,
            "show": lambda options: self._show(runs.find_run(options["run"])),
            "pause": lambda options: runs.pause(runs.find_run(options["run"]), audit.command_actor()),
            "resume": lambda options: runs.resume(runs.find_run(options["run"]), audit.command_actor()),
            "cancel": lambda options: runs.cancel(runs.find_run(options["run"]), audit.command_actor()),
        }
        try:
            acts[options["action"]](options)
        except ServiceError as error:
            raise CommandError(error.message) from error

    def _estimate(self, options: dict[str, Any]) -> None:
        self._say_estimate(estimate(find_version(options["model_id"], options["version"])))

    def _start(self, options: dict[str, Any]) -> None:
        version = find_version(options["model_id"], options["version"])
        run = runs.start(version, audit.command_actor(), documents_per_second=options["documents_per_second"])
        self.stdout.write(f"run {run.pk}: {plural(run.documents_total, 'document')}")

    def _say_estimate(self, expected: Estimate) -> None:
        documents = f"{'' if expected.counted else 'about '}{plural(expected.documents, 'document')}"
        seconds = "unknown" if expected.seconds is None else f"about {expected.seconds:,.0f} s"
        self.stdout.write(
            f"{documents}, about {plural(expected.tokens, 'token')}, {expected.cached_share:.0%} of them cached"
        )
        self.stdout.write(f"time {seconds} at the measured speed of the embedders")
        self.stdout.write(
            f"disk {expected.disk_bytes / 2**20:,.0f} MiB, nodes {expected.memory_bytes / 2**20:,.0f} MiB"
        )
        if expected.without_text:
            self.stdout.write(
                f"{expected.without_text:.0%} of the documents must be sent again: their text is not kept"
            )

    def _list(self, _options: dict[str, Any]) -> None:
        for run in ReembedRun.objects.select_related("model_version"):
            self.stdout.write(_line(run))

    def _show(self, run: ReembedRun) -> None:
        counts = progress(run).counts
        self.stdout.write(_line(run))
        self.stdout.write(
            f"embedded {counts.embedded} ({counts.cached} from the cache), failed by themselves {counts.refused},"
            f" text not kept {counts.not_kept}"
        )
        for text in failed_texts(run):
            self.stdout.write(f"{text.namespace}  {text.doc_id}  {text.reason}")


def _line(run: ReembedRun) -> str:
    found = progress(run)
    left = "" if found.seconds_left is None else f"  {found.seconds_left:.0f} s left"
    problem = f"  {run.problem}" if run.problem else ""
    return (
        f"run {run.pk}  {run.model_version}  {run.state}  {found.share:.0%} of {found.total}"
        f"  {found.documents_per_second}/s{left}{problem}"
    )
