"""`manage.py restore`: make the service what a backup says it was."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import Error as DatabaseError

from embedding_project.config import load_config
from embedding_project.wording import plural
from embeddings_app.database.fault_names import fault_name
from embeddings_app.management.service_command import ServiceCommand
from embeddings_app.services.audit import command_actor
from embeddings_app.services.backups.errors import BackupRefused
from embeddings_app.services.backups.restoring import restore_backup


class Command(ServiceCommand):
    help = "Verify a backup, then put it in place of everything there is. The service may run meanwhile."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("directory", type=Path)
        parser.add_argument("--replace", action="store_true", help="discard the documents there are")

    def handle(self, *args: Any, **options: Any) -> None:
        directory, replace = options["directory"].absolute(), options["replace"]
        model_root = load_config().model_root
        try:
            restored = restore_backup(directory, model_root, command_actor(), self.stdout.write, replace=replace)
        except (BackupRefused, OSError) as error:
            raise CommandError(f"the database is as it was: {error}") from error
        except DatabaseError as error:
            # Its message may quote rows.
            raise CommandError(f"the restore failed: {fault_name(error)}") from error
        self.stdout.write(f"restored {plural(restored.documents, 'document')}, log epoch {restored.epoch}")
        if not restored.cache_emptied:
            raise CommandError("restored, but the embedding cache did not answer: restart its Redis")
