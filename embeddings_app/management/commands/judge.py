"""`manage.py judge`: keep the judgements of people for a namespace, and score model versions by them."""

from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from embedding_project.contracts.errors import ServiceError
from embedding_project.wording import plural
from embeddings_app.management.service_command import ServiceCommand
from embeddings_app.services.quality.judgement_files import BadJudgements, Judgements, read_judgements
from embeddings_app.services.quality.judging import keep_judgements, score

_SECONDS = 600.0


class Command(ServiceCommand):
    help = (
        "Load queries with judgements of people for a namespace; with --model-version print the nDCG@10 of a version."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--namespace", required=True)
        files = parser.add_argument_group("judgements to load, in place of those before")
        files.add_argument("--queries", type=Path, help="JSON lines with _id and text, as in BEIR")
        files.add_argument(
            "--qrels", type=Path, help="query, document, relevance, by tabs; or the four columns of TREC"
        )
        parser.add_argument(
            "--model-version", type=_version, help="a version of the namespace's model with a whole index"
        )
        parser.add_argument(
            "--seconds", type=float, default=_SECONDS, help="for the score; queries left then do not count"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        queries, qrels, version = options["queries"], options["qrels"], options["model_version"]
        if (queries is None) != (qrels is None):
            raise CommandError("--queries and --qrels belong together")
        if queries is None and version is None:
            raise CommandError(
                "give --queries and --qrels to load judgements, --model-version for a score, or all of them"
            )
        try:
            if queries is not None:
                self._load(options["namespace"], _read(queries, qrels))
            if version is not None:
                self._score(options["namespace"], version, options["seconds"])
        except ServiceError as error:
            raise CommandError(error.message) from error

    def _load(self, namespace: str, judgements: Judgements) -> None:
        kept = keep_judgements(namespace, judgements)
        self.stdout.write(
            f"{plural(kept.queries, 'query', 'queries')} with {plural(kept.judgements, 'judgement')} "
            f"of {plural(kept.documents, 'document')}"
        )
        if judgements.unjudged:
            self.stdout.write(f"left out: {plural(judgements.unjudged, 'query', 'queries')} without a judgement")
        if kept.missing:
            self.stderr.write(f"{kept.missing:,} of the judged documents are not in namespace {namespace}")

    def _score(self, namespace: str, version: int, seconds: float) -> None:
        scored = score(namespace, version, seconds)
        if scored.ndcg is None:
            raise CommandError(f"{scored.version} answered none of {scored.queries:,} queries")
        self.stdout.write(
            f"{scored.version}: nDCG@10 {scored.ndcg:.4f} over {plural(scored.answered, 'query', 'queries')}"
        )
        if scored.answered < scored.queries:
            self.stderr.write(f"{scored.queries - scored.answered:,} queries were not answered in time")


def _read(queries: Path, qrels: Path) -> Judgements:
    try:
        return read_judgements(queries, qrels)
    except BadJudgements as error:
        raise CommandError(str(error)) from error
    except OSError as error:
        raise CommandError(f"{error.filename}: {error.strerror}") from error


def _version(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 2**31:
        raise ArgumentTypeError(f"{text!r} is not the number of a version")
    return int(text)
