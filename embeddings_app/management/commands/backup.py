"""`manage.py backup`: one consistent backup of the whole service, while it runs."""

import time
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
from embeddings_app.services.backups.making import make_backup
from embeddings_app.services.backups.progress import FAILED, MADE, Progress, note_end, running_backups


class Command(ServiceCommand):
    help = "Write every table and the model folders into a new directory."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("directory", type=Path, help="must not exist yet")
        parser.add_argument("--without-models", action="store_true", help="leave the folders below MODEL_ROOT out")

    def handle(self, *args: Any, **options: Any) -> None:
        directory = options["directory"].absolute()
        model_root = None if options["without_models"] else load_config().model_root
        actor, began = command_actor(), time.monotonic()
        try:
            with running_backups().shown(progress := Progress(), directory, actor):
                manifest = make_backup(directory, model_root, self.stdout.write, progress)
        except (BackupRefused, OSError, DatabaseError) as error:
            problem = fault_name(error) if isinstance(error, DatabaseError) else str(error)
            note_end(FAILED, directory, actor, time.monotonic() - began, problem=problem)
            raise CommandError(f"no backup was made: {problem}") from error
        size = sum(entry.size for entry in manifest.files)
        figures = {"files": len(manifest.files), "bytes": size, "as_of": manifest.made_at}
        note_end(MADE, directory, actor, time.monotonic() - began, **figures)
        self.stdout.write(
            f"{directory}: {plural(len(manifest.files), 'file')}, {plural(size, 'byte')}, as of {manifest.made_at}"
        )
