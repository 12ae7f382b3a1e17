"""`manage.py warm_cache`: embed the texts of a file ahead of time, so that requests find them in the cache."""

import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import CommandError, CommandParser

from embedding_project.contracts.errors import ServiceError
from embedding_project.contracts.keys import InputType
from embedding_project.contracts.model_spec import ModelType
from embedding_project.regular_files import open_regular
from embedding_project.wording import plural
from embeddings_app import registry
from embeddings_app.management.service_command import ServiceCommand
from embeddings_app.services.embedding.warming import BadLine, Line, read_lines, warm

_PROGRESS_SECONDS = 2.0


class Command(ServiceCommand):
    help = "Put the vectors of texts into the embedding cache: one text a line, or JSON lines with the member text."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="- for the standard input")
        parser.add_argument("--model-id", help="the default model when left out")
        parser.add_argument(
            "--input-type", default=InputType.DOCUMENT.value, choices=[kind.value for kind in InputType]
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            spec = registry.active_spec(options["model_id"])
        except ServiceError as error:
            raise CommandError(error.message) from error
        if spec.type is ModelType.EXTERNAL:
            raise CommandError(f"model {spec.model_id!r} does not embed text")
        self._bad, cached, embedded = 0, 0, 0
        shown_at = time.monotonic()
        try:
            with _opened(options["file"]) as file:
                for warmed in warm(spec, InputType(options["input_type"]), self._good(file)):
                    cached += warmed.cached
                    embedded += warmed.embedded
                    for failed in warmed.failed:
                        self._report(failed)
                    if time.monotonic() - shown_at >= _PROGRESS_SECONDS:
                        shown_at = time.monotonic()
                        self.stdout.write(f"{plural(cached + embedded, 'text')}, {embedded:,} of them embedded now")
        except OSError as error:
            raise CommandError(f"{options['file']}: {error.strerror}") from error
        self.stdout.write(
            f"{plural(embedded, 'text')} embedded, {cached:,} found in the cache, {plural(self._bad, 'line')} failed"
        )
        if self._bad:
            raise CommandError(f"{plural(self._bad, 'line')} failed")

    def _good(self, file: BinaryIO) -> Iterator[Line]:
        for line in read_lines(file):
            if isinstance(line, BadLine):
                self._report(line)
            else:
                yield line

    def _report(self, bad: BadLine) -> None:
        self._bad += 1
        self.stderr.write(f"line {bad.number}: {bad.reason}")


def _opened(name: str) -> Any:
    return nullcontext(sys.stdin.buffer) if name == "-" else open_regular(Path(name))
