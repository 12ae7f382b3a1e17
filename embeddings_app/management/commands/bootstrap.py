"""`manage.py bootstrap`: make a database usable. Safe to run at every start."""

from typing import Any

from django.core.management import call_command
from django.core.management.base import CommandError, CommandParser

from embedding_project.config import load_config
from embeddings_app.management.service_command import ServiceCommand
from embeddings_app.services.operating.installation import KeyNeeded, LayoutDiffers, install, refuse_open_service


class Command(ServiceCommand):
    help = "Create the layout, the default model and the administrator where they are missing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--migrate", action="store_true", help="run 'migrate' before, in the same process")

    def handle(self, *args: Any, **options: Any) -> None:
        config = load_config()
        if options["migrate"]:
            call_command("migrate", interactive=False, stdout=self.stdout)
        try:
            fresh = install(
                shards=config.shards,
                replicas=config.replicas,
                admin_password=config.admin_password,
            )
            refuse_open_service(config)
        except (LayoutDiffers, KeyNeeded) as error:
            raise CommandError(str(error)) from error
        self.stdout.write("fresh database" if fresh else "existing database")
