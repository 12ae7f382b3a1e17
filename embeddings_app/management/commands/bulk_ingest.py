"""`manage.py bulk_ingest ...`: hands over to the package of that name, which stands above the web side."""

import argparse
import os
import sys
from typing import Any

from django.core.management.base import CommandParser

from embeddings_app.management.service_command import ServiceCommand


class Command(ServiceCommand):
    help = "Load files of documents, with vectors or texts: plan, run, make, list, show, pause, resume, abort, rejects."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="ACTION ...", help="ACTION --help says more")

    def handle(self, *args: Any, **options: Any) -> None:
        # The same process goes on as the other program, so that signals and the exit code need no care.
        os.execv(sys.executable, [sys.executable, "-m", "bulk_ingest", *options["arguments"]])
