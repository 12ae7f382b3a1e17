"""`manage.py measure`: how a model version searches, beside the one that answers, and what the gate says of it."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from embedding_project.contracts.errors import ServiceError
from embedding_project.wording import plural
from embeddings_app.management.service_command import ServiceCommand
from embeddings_app.models import ModelRegistry
from embeddings_app.records.measurements import Measured
from embeddings_app.services.model_versions.reading import find_version
from embeddings_app.services.quality.figures import figure_texts
from embeddings_app.services.quality.gate import gate_verdict
from embeddings_app.services.quality.refreshing import REFRESH_SECONDS, active_beside, refresh_measurements


class Command(ServiceCommand):
    help = "Search with a version that has a whole index, beside the active one, and say whether it may answer."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("model_id")
        parser.add_argument("version", type=int)
        parser.add_argument("--seconds", type=float, default=REFRESH_SECONDS, help="how long it may take")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            version = find_version(options["model_id"], options["version"])
            measured = refresh_measurements(version, options["seconds"])
        except ServiceError as error:
            raise CommandError(error.message) from error
        old = active_beside(version)
        self._show(measured, version, old)
        verdict = gate_verdict(old, version)
        for note in verdict.notes:
            self.stdout.write(f"note: {note}")
        for reason in verdict.reasons:
            self.stdout.write(f"against it: {reason}")
        self.stdout.write(f"{version} {'passes' if verdict.passed else 'does not pass'} the gate")

    def _show(self, measured: Measured, version: ModelRegistry, old: ModelRegistry | None) -> None:
        beside = f" beside v{old.version}" if old else ""
        self.stdout.write(
            f"{version}{beside}: {measured.searches} of {plural(measured.queries, 'search', 'searches')} answered"
        )
        for name, figure in figure_texts(measured):
            self.stdout.write(f"  {name:<31} {figure}")
