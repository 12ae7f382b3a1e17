"""`manage.py models list | probe | switch | retire | alias`: the versions of the models, and other names of models."""

from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandError, CommandParser

from embedding_project.contracts.errors import ServiceError
from embeddings_app.management.service_command import ServiceCommand
from embeddings_app.models import ModelRegistry
from embeddings_app.services import audit
from embeddings_app.services.model_versions.aliases import list_aliases, remove_alias, set_alias
from embeddings_app.services.model_versions.probing import PATIENCE_SECONDS, probe
from embeddings_app.services.model_versions.reading import find_version
from embeddings_app.services.model_versions.retiring import retire
from embeddings_app.services.model_versions.steps import way_on
from embeddings_app.services.model_versions.switching import switch


def add_version(parser: ArgumentParser) -> None:
    parser.add_argument("model_id")
    parser.add_argument("version", type=int)


class Command(ServiceCommand):
    help = "List model versions, probe them, choose the one that answers, retire them."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("list", help="show every version, its state, and what can be done with it")
        add_version(actions.add_parser("probe", help="embed a few texts with a version and check the vectors"))
        switching = actions.add_parser("switch", help="let a version answer, or go back to an earlier one")
        add_version(switching)
        switching.add_argument("--reason", default="", help="kept in the audit log")
        switching.add_argument("--override", action="store_true", help="also without passing the gate; needs a reason")
        retiring = actions.add_parser("retire", help="end a version and free what it holds")
        add_version(retiring)
        retiring.add_argument("--reason", default="", help="kept in the audit log")

        naming = actions.add_parser("alias", help="let another name mean a model, or list such names")
        naming.add_argument("name", nargs="?", help="left out: list all")
        naming.add_argument("model_id", nargs="?", help="left out: remove the name")

    def handle(self, *args: Any, **options: Any) -> None:
        acts: dict[str, Callable[[dict[str, Any]], None]] = {
            "list": self._list,
            "probe": self._probe,
            "switch": self._switch,
            "retire": self._retire,
            "alias": self._alias,
        }
        try:
            acts[options["action"]](options)
        except ServiceError as error:
            raise CommandError(error.message) from error

    def _list(self, _options: dict[str, Any]) -> None:
        for version in ModelRegistry.objects.order_by("model_id", "version"):
            self.stdout.write(f"{version}  {version.status}  dimension {version.dimension}  {way_on(version.status)}")

    def _alias(self, options: dict[str, Any]) -> None:
        name, model_id = options["name"], options["model_id"]
        if name is None:
            for alias, meant in list_aliases():
                self.stdout.write(f"{alias} means {meant}")
        elif model_id is not None:
            set_alias(name, model_id, audit.command_actor())
            self.stdout.write(f"{name} means {model_id}")
        elif remove_alias(name, audit.command_actor()):
            self.stdout.write(f"{name} means nothing any more")
        else:
            raise CommandError(f"there is no alias {name!r}")

    def _probe(self, options: dict[str, Any]) -> None:
        version = find_version(options["model_id"], options["version"])
        outcome = probe(version, audit.command_actor(), patience_seconds=PATIENCE_SECONDS)
        if not outcome.ok:
            raise CommandError(f"{version}: {outcome.message}")
        self.stdout.write(f"{version}: {outcome.message}; {version.status}")

    def _switch(self, options: dict[str, Any]) -> None:
        version = find_version(options["model_id"], options["version"])
        switched = switch(version, audit.command_actor(), reason=options["reason"], override=options["override"])
        before = f"; {switched.before} is kept and still written" if switched.before else ""
        self.stdout.write(f"{version} answers now{before}")

    def _retire(self, options: dict[str, Any]) -> None:
        version = find_version(options["model_id"], options["version"])
        retire(version, audit.command_actor(), options["reason"])
        self.stdout.write(f"{version} is {version.status}")
