"""`manage.py load_stdlib_docs`: fill a running instance with real text, and show search working meanwhile."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from embedding_project.config import load_config
from embeddings_app.management.http_client import ApiClient, ApiError
from embeddings_app.management.progress_line import ProgressLine, bar
from embeddings_app.management.service_command import ServiceCommand
from embeddings_app.management.stdlib_docs import Docstring, stdlib_docstrings

NAMESPACE = "stdlib"
QUERIES = ("read a file line by line", "run something later on a schedule", "compress bytes")
_BATCH = 128
_SEARCH_EVERY_SECONDS = 15.0
_POLL_SECONDS = 0.5
_SUMMARY_LENGTH = 72


class Command(ServiceCommand):
    help = "Load the docstrings of the Python standard library and search them. Where keys are needed, API_KEY is sent."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--limit", type=int, default=0, help="load only so many texts")
        way = parser.add_mutually_exclusive_group()
        way.add_argument("--to", metavar="FILE", type=Path, help="write them as JSON lines for a bulk job, and end")
        way.add_argument("--only-search", action="store_true", help="search what was loaded before")

    def handle(self, *args: Any, **options: Any) -> None:
        line = ProgressLine(self.stdout)
        if options["to"]:
            _write(options["to"], _collected(line, options["limit"]))
            return
        api = ApiClient(load_config())
        docstrings = [] if options["only_search"] else _collected(line, options["limit"])
        try:
            if docstrings:
                self._accept(api, line, docstrings)
                self._follow(api, line)
            self._show(api, QUERIES[0], hits=3)
        except ApiError as error:
            line.end()
            raise CommandError(str(error)) from error

    def _accept(self, api: ApiClient, line: ProgressLine, docstrings: list[Docstring]) -> None:
        started = time.monotonic()
        for start in range(0, len(docstrings), _BATCH):
            documents = [_document(docstring) for docstring in docstrings[start : start + _BATCH]]
            api.post("/v1/upsert", {"namespace": NAMESPACE, "documents": documents})
            done = start + len(documents)
            line.show(f"writing    {bar(done, len(docstrings))} {done:,} of {len(docstrings):,}")
        line.end(f"wrote {len(docstrings):,} docstrings durably in {time.monotonic() - started:.1f} s")

    def _follow(self, api: ApiClient, line: ProgressLine) -> None:
        """Report progress until everything can be searched, with a search now and then."""
        started = time.monotonic()
        before = -1
        next_search = started + _SEARCH_EVERY_SECONDS / 3
        asked = 0
        while True:
            status = api.get(f"/v1/namespaces/{NAMESPACE}")
            searchable = status["searchable"]
            before = searchable if before < 0 else before
            seconds = time.monotonic() - started
            line.show(_embedded(searchable, status["count"], searchable - before, seconds))
            if status["pending"] == 0 and searchable + status["quarantined"] >= status["count"]:
                line.end(f"embedded; all {searchable:,} can be searched, after {seconds:.0f} s")
                return
            if time.monotonic() >= next_search and searchable:
                line.end()
                self._show(api, QUERIES[asked % len(QUERIES)], hits=1)
                asked += 1
                next_search = time.monotonic() + _SEARCH_EVERY_SECONDS
            time.sleep(_POLL_SECONDS)

    def _show(self, api: ApiClient, query: str, hits: int) -> None:
        started = time.perf_counter()
        body = {"query": query, "namespace": NAMESPACE, "top_k": hits, "include": ["metadata", "text"]}
        answer = api.post("/v1/search", body)
        milliseconds = 1000 * (time.perf_counter() - started)
        self.stdout.write(f"search {query!r}, {milliseconds:.0f} ms")
        for hit in answer["hits"]:
            # The text opens with the name; what it says comes after.
            summary = " ".join(hit["text"].split("\n", 1)[-1].split())
            self.stdout.write(f"  {hit['score']:.3f} {hit['id']}: {summary}"[:_SUMMARY_LENGTH])


def _collected(line: ProgressLine, limit: int) -> list[Docstring]:
    def seen(done: int, modules: int) -> None:
        line.show(f"reading    {bar(done, modules)} module {done} of {modules}")

    docstrings = stdlib_docstrings(seen)
    docstrings = docstrings[: limit or len(docstrings)]
    line.end(f"read {len(docstrings):,} docstrings of Python's standard library")
    return docstrings


def _write(path: Path, docstrings: Sequence[Docstring]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for docstring in docstrings:
            file.write(f"{json.dumps(_document(docstring))}\n")


def _embedded(done: int, total: int, fresh: int, seconds: float) -> str:
    rate = fresh / seconds if seconds > 0 else 0.0
    remaining = f"{(total - done) / rate:.0f} s left" if rate > 0 else "starting"
    return f"embedding  {bar(done, total)} {done:,} of {total:,}, {rate:.0f}/s, {remaining}"


def _document(docstring: Docstring) -> dict[str, Any]:
    return {
        "id": docstring.name,
        "text": f"{docstring.name}\n{docstring.text}",
        "metadata": {"module": docstring.module, "kind": docstring.kind, "length": len(docstring.text)},
    }
