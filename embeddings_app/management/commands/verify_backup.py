"""`manage.py verify_backup`: read a backup and compare it with its manifest."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from embedding_project.wording import plural
from embeddings_app.management.service_command import ServiceCommand
from embeddings_app.services.backups.errors import BackupRefused
from embeddings_app.services.backups.making import verify_backup


class Command(ServiceCommand):
    help = "Read every file of a backup and compare it with the manifest. The database is not asked."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("directory", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            manifest = verify_backup(options["directory"].absolute())
        except (BackupRefused, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{plural(len(manifest.files), 'file')} found whole, as of {manifest.made_at}")
