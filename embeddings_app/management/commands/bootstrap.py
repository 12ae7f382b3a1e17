"""`manage.py bootstrap`: make a database usable. Safe to run at every start."""

import time
from typing import Any

from django.core.management import call_command
from django.core.management.base import CommandError, CommandParser
from django.db import OperationalError, connection
from psycopg.errors import LockNotAvailable

from embedding_project.config import load_config
from embeddings_app.management.service_command import ServiceCommand
from embeddings_app.services.operating.installation import KeyNeeded, LayoutDiffers, install, refuse_open_service

_TRIES, _PAUSE_SECONDS = 30, 1.0
"""With the two seconds for which a change waits, a minute and a half."""


class Command(ServiceCommand):
    help = "Create the layout, the default model and the administrator where they are missing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--migrate", action="store_true", help="run 'migrate' before, in the same process")

    def handle(self, *args: Any, **options: Any) -> None:
        config = load_config()
        if options["migrate"]:
            self._migrate()
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

    def _migrate(self) -> None:
        """Bring the tables to the shape of this code, beside a service that goes on.

        A change that waits for a table holds up everybody who comes after it. So it waits for a moment alone, and tries
        again: each migration that is done stays done. Statements themselves may take as long as large tables ask for.
        """
        for tries_left in reversed(range(_TRIES)):
            try:
                with connection.cursor() as cursor:
                    cursor.execute("SET statement_timeout = 0")
                call_command("migrate", interactive=False, stdout=self.stdout)
            except OperationalError as error:
                if not isinstance(error.__cause__, LockNotAvailable) or not tries_left:
                    raise
                self.stdout.write("a table is in use; trying again")
                time.sleep(_PAUSE_SECONDS)
            else:
                break
