"""`manage.py log_epoch`: show the history the logs belong to, or begin a new one after a restore by other tools."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from embeddings_app.management.service_command import ServiceCommand
from embeddings_app.records.topology import read_topology
from embeddings_app.services.audit import command_actor
from embeddings_app.services.backups.epoch import begin_history


class Command(ServiceCommand):
    help = "Print the log epoch."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--bump", action="store_true", help="begin a new one: every index node rebuilds")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["bump"]:
            self.stdout.write(read_topology().epoch)
            return
        history = begin_history(command_actor())
        self.stdout.write(history.epoch)
        if not history.cache_emptied:
            raise CommandError("renewed, but the embedding cache did not answer: restart its Redis")
