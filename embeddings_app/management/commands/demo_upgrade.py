"""`manage.py demo_upgrade`: move the corpus of the demo to a second model version, with searches all the while."""

import time
from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import CommandError, CommandParser

from embedding_project.config import load_config
from embedding_project.contracts.errors import ServiceError
from embedding_project.wording import plural
from embeddings_app.management.commands.load_stdlib_docs import NAMESPACE, QUERIES
from embeddings_app.management.http_client import ApiClient, ApiError
from embeddings_app.management.live_searches import LiveSearches
from embeddings_app.management.progress_line import ProgressLine, bar
from embeddings_app.management.service_command import ServiceCommand
from embeddings_app.models import ModelRegistry, ModelStatus, ReembedRun, RunState
from embeddings_app.services import audit
from embeddings_app.services.model_versions.probing import PATIENCE_SECONDS, probe
from embeddings_app.services.model_versions.registering import completed
from embeddings_app.services.model_versions.switching import switch
from embeddings_app.services.quality.gate import gate_verdict
from embeddings_app.services.quality.refreshing import refresh_measurements
from embeddings_app.services.reembedding import runs
from embeddings_app.services.reembedding.progress import progress

_POLL_SECONDS = 1.0
_SHORT_SECONDS = 3.0
_MEASURE_SECONDS = 60.0
_SWITCH_TRIES = 20


class Command(ServiceCommand):
    help = "Move the corpus of the demo to a second version of its model, while searches go on; print what happened."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--pooling", default="cls", help="of the second version; its weights are the same")
        parser.add_argument("--limit-seconds", type=_seconds, default=1800.0, help="give up after this")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            first = self._active()
            second = self._register(first, options["pooling"])
            with LiveSearches(load_config(), NAMESPACE, QUERIES) as searches:
                self._fill(second, options["limit_seconds"])
                self._measure(first, second)
                self._switch(second, "the demo moves on")
                time.sleep(_SHORT_SECONDS)
                self._switch(first, "the demo goes back")
                time.sleep(_SHORT_SECONDS)
                self._switch(second, "the demo moves on again")
                time.sleep(_SHORT_SECONDS)
        except (ServiceError, ApiError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"meanwhile: {searches.summary()}")

    def _active(self) -> ModelRegistry:
        """The version that answers for the corpus, which must be there."""
        ApiClient(load_config()).get(f"/v1/namespaces/{NAMESPACE}")
        model_id = load_config().default_model_id
        return ModelRegistry.objects.get(model_id=model_id, status=ModelStatus.ACTIVE)

    def _register(self, first: ModelRegistry, pooling: str) -> ModelRegistry:
        fields = completed(
            {"model_id": first.model_id, "type": first.type, "artifact": first.artifact, "pooling": pooling},
            load_config(),
        )
        newest = ModelRegistry.objects.filter(model_id=first.model_id).order_by("-version")[0]
        second = ModelRegistry(version=newest.version + 1, **fields)
        second.full_clean()
        second.save()
        audit.record(audit.command_actor(), "model.registered", str(second))
        outcome = probe(second, audit.command_actor(), patience_seconds=PATIENCE_SECONDS)
        if not outcome.ok:
            raise CommandError(f"{second}: {outcome.message}")
        self.stdout.write(f"{second}, pooling {pooling}: registered and probed; {outcome.message}")
        return second

    def _fill(self, second: ModelRegistry, limit_seconds: float) -> None:
        run = runs.start(second, audit.command_actor())
        seconds = run.estimate["seconds"]
        expected = f", about {seconds:.0f} s" if seconds else ""
        self.stdout.write(f"run {run.pk}: {plural(run.documents_total, 'document')}{expected}; searches go on")
        until = time.monotonic() + limit_seconds
        line = ProgressLine(self.stdout)
        while run.state == RunState.RUNNING and time.monotonic() < until:
            time.sleep(_POLL_SECONDS)
            run.refresh_from_db()
            line.show(_moved(run))
        line.end()
        if run.state != RunState.FINISHED:
            raise CommandError(f"{run} is {run.state}: {run.problem or 'it did not end in time'}")

    def _measure(self, first: ModelRegistry, second: ModelRegistry) -> None:
        measured = refresh_measurements(second, _MEASURE_SECONDS)
        figures = (("recall", measured.recall), ("overlap", measured.overlap), ("slowdown", measured.slowdown))
        shown = ", ".join(f"{name} {value:.2f}" for name, value in figures if value is not None)
        verdict = gate_verdict(first, second)
        self.stdout.write(
            f"{second} beside {first}: {shown}; {'passes' if verdict.passed else 'does not pass'} the gate"
        )
        for reason in verdict.reasons:
            self.stdout.write(f"  against it: {reason}")

    def _switch(self, version: ModelRegistry, reason: str) -> None:
        milliseconds = _switched_in(version, reason)
        self.stdout.write(f"switched to {version} in {milliseconds:.0f} ms")


def _moved(run: ReembedRun) -> str:
    found = progress(run)
    left = "" if found.seconds_left is None else f", {found.seconds_left:.0f} s left"
    return f"re-embedding {bar(found.share, 1)} {found.share:.0%}, {found.documents_per_second:.0f}/s{left}"


def _switched_in(version: ModelRegistry, reason: str, tries: int = _SWITCH_TRIES) -> float:
    """Switch to the version; gives the milliseconds of the try that succeeded. Documents that were written a moment ago
    may ask for a little patience."""
    began = time.perf_counter()
    try:
        # The demo shows the way, whatever the gate says of the pooling that was asked for.
        switch(version, audit.command_actor(), reason=reason, override=True)
    except ServiceError:
        if tries == 1:
            raise
        time.sleep(_POLL_SECONDS)
        return _switched_in(version, reason, tries - 1)
    return 1000 * (time.perf_counter() - began)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 86_400:
        raise ArgumentTypeError("must be a number of seconds, above 0 and below a day")
    return seconds
