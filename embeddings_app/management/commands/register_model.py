"""`manage.py register_model`: add a model version, as the admin does."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from embedding_project.contracts.errors import ServiceError
from embedding_project.contracts.model_spec import ModelType
from embeddings_app.models import ModelRegistry
from embeddings_app.services import audit
from embeddings_app.services.model_lifecycle import activate, probe


class Command(BaseCommand):
    help = "Register a model version as a draft; with --activate also probe it and make it answer."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--model-id", required=True)
        parser.add_argument("--type", required=True, choices=[kind.value for kind in ModelType])
        parser.add_argument("--dimension", required=True, type=int)
        parser.add_argument("--artifact", default="", help="package:<module>, or a folder below MODEL_ROOT")
        parser.add_argument("--pooling", default="mean")
        parser.add_argument("--max-tokens", default=256, type=int)
        parser.add_argument("--query-prompt", default="", help="put before every query")
        parser.add_argument("--document-prompt", default="", help="put before every document")
        parser.add_argument("--dtype", default="fp32", help="fp32, fp16 or bf16; the latter on a GPU only")
        parser.add_argument("--min-dimension", default=0, type=int, help="vectors may be cut down to this dimension")
        parser.add_argument("--token-encoding", default="", help="own: clients may send ids of the model's vocabulary")
        parser.add_argument("--activate", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        newest = ModelRegistry.objects.filter(model_id=options["model_id"]).order_by("-version").first()
        version = ModelRegistry(
            model_id=options["model_id"],
            version=newest.version + 1 if newest else 1,
            type=options["type"],
            dimension=options["dimension"],
            artifact=options["artifact"],
            pooling=options["pooling"],
            max_tokens=options["max_tokens"],
            query_prompt=options["query_prompt"],
            document_prompt=options["document_prompt"],
            dtype=options["dtype"],
            min_dimension=options["min_dimension"],
            token_encoding=options["token_encoding"],
        )
        try:
            version.full_clean()
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from error
        version.save()
        audit.record(audit.command_actor(), "model.registered", str(version))
        if options["activate"]:
            self._activate(version)
        self.stdout.write(f"{version}: {version.status}")

    def _activate(self, version: ModelRegistry) -> None:
        """Activate the new version, or leave none behind."""
        outcome = probe(version, audit.command_actor())
        if not outcome.ok:
            version.delete()
            raise CommandError(f"not registered, the probe failed: {outcome.message}")
        try:
            activate(version, audit.command_actor())
        except ServiceError as error:
            version.delete()
            raise CommandError(f"not registered: {error.message}") from error
