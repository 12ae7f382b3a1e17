"""`manage.py register_model`: add a model version, as the admin does."""

from argparse import BooleanOptionalAction
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser

from embedding_project.config import load_config
from embedding_project.contracts.errors import ServiceError
from embedding_project.contracts.model_spec import ModelType, Runtime
from embedding_project.contracts.vector_storage import VectorStorage
from embedding_project.model_sources.model_folder import ModelFilesError
from embeddings_app.management.service_command import ServiceCommand
from embeddings_app.models import ModelRegistry
from embeddings_app.services import audit
from embeddings_app.services.model_versions.adding import add_version
from embeddings_app.services.model_versions.probing import PATIENCE_SECONDS, probe
from embeddings_app.services.model_versions.registering import Incomplete, completed
from embeddings_app.services.model_versions.switching import switch

_FIELDS = (
    *("model_id", "type", "artifact", "dimension", "pooling", "normalize", "max_tokens", "query_prompt"),
    *("document_prompt", "dtype", "runtime", "min_dimension", "token_encoding", "endpoint", "endpoint_model"),
    *("secret_name", "requests_per_minute", "storage"),
)


class Command(ServiceCommand):
    help = "Register a model version as a draft; with --activate also probe it and make it answer."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--model-id", required=True)
        parser.add_argument("--type", required=True, choices=[kind.value for kind in ModelType])
        parser.add_argument(
            "--artifact", help="package:<module>, hub:<org>/<name>[@revision], or a folder below MODEL_ROOT"
        )
        told = parser.add_argument_group("read from the model's files when not given")
        told.add_argument("--dimension", type=int)
        told.add_argument("--pooling", help="mean, cls or last")
        told.add_argument("--max-tokens", type=int)
        told.add_argument("--normalize", action=BooleanOptionalAction, help="/v1/embed returns unit vectors")
        told.add_argument("--query-prompt", help="put before every query; '' for none, whatever the files say")
        told.add_argument("--document-prompt", help="put before every document; '' for none")
        told.add_argument("--min-dimension", type=int, help="vectors may be cut down to it; 0 for never")
        run = parser.add_argument_group("how it is run")
        run.add_argument("--dtype", help="fp32, or bf16 where the device has it, or fp16 on a GPU")
        run.add_argument("--runtime", choices=[kind.value for kind in Runtime])
        run.add_argument(
            "--storage",
            choices=[kind.value for kind in VectorStorage],
            help="how index nodes hold its vectors in graphs: fp32, fp16 or sq8",
        )
        run.add_argument("--token-encoding", help="own: clients may send token ids instead of text")
        remote = parser.add_argument_group("type openai")
        remote.add_argument("--endpoint", help="base URL, such as https://api.example.org/v1")
        remote.add_argument("--endpoint-model", help="name of the model there; --model-id when not given")
        remote.add_argument("--secret-name", help="file in EMBED_SECRETS_DIR that holds the key")
        remote.add_argument("--requests-per-minute", type=int, help="for all embedders together")
        parser.add_argument("--activate", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            fields = completed({name: options[name] for name in _FIELDS}, load_config())
            version = add_version(fields, audit.command_actor())
        except Incomplete as error:
            needed = ", ".join(f"--{name.replace('_', '-')}" for name in error.missing)
            raise CommandError(f"{error.reason}: give {needed}") from error
        except ServiceError as error:
            raise CommandError(error.message) from error
        except ModelFilesError as error:
            raise CommandError(f"{options['artifact']}: {error}") from error
        except ValidationError as error:
            raise CommandError("; ".join(_sentences(error))) from error
        if options["activate"]:
            self._activate(version)
        self.stdout.write(f"{version}: {version.status}")

    def _activate(self, version: ModelRegistry) -> None:
        """Let the new version answer. One that fails its probe is not kept."""
        outcome = probe(version, audit.command_actor(), patience_seconds=PATIENCE_SECONDS)
        if not outcome.ok:
            version.delete()
            raise CommandError(f"not registered, the probe failed: {outcome.message}")
        try:
            switch(version, audit.command_actor())
        except ServiceError as error:
            raise CommandError(f"registered and probed, but not active: {error.message}") from error


def _sentences(error: ValidationError) -> list[str]:
    """What is wrong, each with the field it is about."""
    found = error.message_dict
    return [
        message if name == "__all__" else f"{name}: {message}" for name, texts in found.items() for message in texts
    ]
