"""`manage.py load_stdlib_docs`: fill a running instance with real text, and show search working meanwhile."""

import time
from typing import Any

from django.core.management.base import CommandError, CommandParser

from embedding_project.config import load_config
from embeddings_app.management.http_client import ApiClient, ApiError
from embeddings_app.management.service_command import ServiceCommand
from embeddings_app.management.stdlib_docs import Docstring, stdlib_docstrings

NAMESPACE = "stdlib"
QUERIES = ("read a file line by line", "run something later on a schedule", "compress bytes")
_BATCH = 128
_BAR_WIDTH = 28
_SEARCH_EVERY_SECONDS = 15.0
_POLL_SECONDS = 0.5
_LOG_EVERY_SECONDS = 5.0


class Command(ServiceCommand):
    help = "Load the docstrings of the Python standard library and search them. Where keys are needed, API_KEY is sent."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--limit", type=int, default=0, help="load only so many texts")

    def handle(self, *args: Any, **options: Any) -> None:
        api = ApiClient(load_config())
        self.stdout.write("collecting the docstrings of the Python standard library")
        docstrings = stdlib_docstrings()
        docstrings = docstrings[: options["limit"] or len(docstrings)]
        try:
            self._accept(api, docstrings)
            self._follow(api)
            for query in QUERIES:
                self._show(api, query, hits=3)
        except ApiError as error:
            raise CommandError(str(error)) from error

    def _accept(self, api: ApiClient, docstrings: list[Docstring]) -> None:
        started = time.monotonic()
        for start in range(0, len(docstrings), _BATCH):
            documents = [_document(docstring) for docstring in docstrings[start : start + _BATCH]]
            api.post("/v1/upsert", {"namespace": NAMESPACE, "documents": documents})
            if self.stdout.isatty():
                self.stdout.write(f"\raccepted {start + len(documents):,} of {len(docstrings):,}", ending="")
                self.stdout.flush()
        seconds = time.monotonic() - started
        self.stdout.write(
            f"{len(docstrings):,} docstrings of the Python standard library accepted and durable in {seconds:.1f} s"
        )

    def _follow(self, api: ApiClient) -> None:
        """Report progress until everything can be searched, with a search now and then."""
        started = time.monotonic()
        before = searchable = -1
        next_search = started + _SEARCH_EVERY_SECONDS / 3
        asked = 0
        # On a terminal the line renews itself; in a log each report stands alone.
        pause = _POLL_SECONDS if self.stdout.isatty() else _LOG_EVERY_SECONDS
        while True:
            status = api.get(f"/v1/namespaces/{NAMESPACE}")
            searchable = status["searchable"]
            before = searchable if before < 0 else before
            self._progress(searchable, status["count"], searchable - before, time.monotonic() - started)
            if status["pending"] == 0 and searchable + status["quarantined"] >= status["count"]:
                self.stdout.write("")
                return
            if time.monotonic() >= next_search and searchable:
                self.stdout.write("")
                self._show(api, QUERIES[asked % len(QUERIES)], hits=1)
                asked += 1
                next_search = time.monotonic() + _SEARCH_EVERY_SECONDS
            time.sleep(pause)

    def _progress(self, done: int, total: int, fresh: int, seconds: float) -> None:
        rate = fresh / seconds if seconds > 0 else 0.0
        remaining = f"{(total - done) / rate:4.0f} s left" if rate > 0 else "starting"
        filled = _BAR_WIDTH * done // max(total, 1)
        bar = "#" * filled + "." * (_BAR_WIDTH - filled)
        line = f"searchable [{bar}] {done:,}/{total:,}  {rate:5.0f}/s  {remaining}"
        terminal = self.stdout.isatty()
        self.stdout.write(f"\r{line}\033[K" if terminal else line, ending="" if terminal else "\n")
        self.stdout.flush()

    def _show(self, api: ApiClient, query: str, hits: int) -> None:
        started = time.perf_counter()
        body = {"query": query, "namespace": NAMESPACE, "top_k": hits, "include": ["metadata", "text"]}
        answer = api.post("/v1/search", body)
        milliseconds = 1000 * (time.perf_counter() - started)
        self.stdout.write(f"\n  {query!r} in {milliseconds:.0f} ms")
        for hit in answer["hits"]:
            # The text opens with the name; what it says comes after.
            summary = " ".join(hit["text"].split("\n", 1)[-1].split())[:80]
            self.stdout.write(f"    {hit['score']:.3f}  {hit['id']:<36}  {summary}")


def _document(docstring: Docstring) -> dict[str, Any]:
    return {
        "id": docstring.name,
        "text": f"{docstring.name}\n{docstring.text}",
        "metadata": {"module": docstring.module, "kind": docstring.kind, "length": len(docstring.text)},
    }
