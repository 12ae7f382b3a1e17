"""load, export"""

import json
from argparse import Namespace as Arguments
from collections.abc import Callable
from pathlib import Path
from typing import Any

from embsearch.answers import NamespaceStatus
from embsearch.cli.conditions import all_of
from embsearch.cli.console import Console, dumped
from embsearch.client import Client
from embsearch.upload.load import UploadOptions
from embsearch.upload.report import UploadReport, progress_line
from embsearch.upload.rows import Converters
from embsearch.upload.sources import text_stream
from embsearch.wording import plural

SOME_FAILED = 4
_SHOWN_FAILURES = 5
_A_DAY_SECONDS = 86400.0


def _number(text: Any) -> int | float:
    number = float(text)
    return int(number) if number.is_integer() else number


def _boolean(text: Any) -> bool:
    known = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if str(text).strip().lower() not in known:
        raise ValueError(f"{text!r} is neither true nor false")
    return known[str(text).strip().lower()]


_KINDS: dict[str, Callable[[Any], Any] | None] = {"": None, "number": _number, "boolean": _boolean, "text": str}


def _metadata(columns: str | None) -> Converters | None:
    """Raises ValueError."""
    if columns is None:
        return None
    made = {}
    for column in filter(None, columns.split(",")):
        name, _, kind = column.partition(":")
        if kind not in _KINDS:
            raise ValueError(f"{column!r}: the kinds are {', '.join(filter(None, _KINDS))}")
        made[name] = _KINDS[kind]
    return made


def load(client: Client, arguments: Arguments, console: Console) -> int:
    space = client.namespace(arguments.namespace)
    if arguments.resume and arguments.file == "-":
        raise ValueError("standard input cannot be resumed; name a file")
    client.health()  # Nothing listens: that is said now, and not after the patience of a load.
    shows = arguments.progress or console.err.isatty()
    how = UploadOptions(
        id=arguments.id,
        text=arguments.text,
        vector=arguments.vector,
        metadata=_metadata(arguments.meta),
        batch=arguments.batch,
        parallel=arguments.parallel,
        progress=progress_line(console.err) if shows else False,
        checkpoint=f"{arguments.file}.ckpt" if arguments.resume else None,
        model_id=arguments.model,
    )
    report = space.upload(text_stream(console.stdin) if arguments.file == "-" else arguments.file, **how)
    if arguments.rejects:
        Path(arguments.rejects).write_text("".join(dumped(one) + "\n" for one in report.failed), encoding="utf-8")
    if arguments.wait and report.written:
        space.wait(timeout=_A_DAY_SECONDS, progress=_waiting(console) if shows else None)
    console.show(report, report_lines(report))
    return SOME_FAILED if report.failed_count else 0


def _waiting(console: Console) -> Callable[[NamespaceStatus], None]:
    return lambda status: console.say(_waits(status))


def _waits(status: NamespaceStatus) -> str:
    return f"vectors are missing for {status.pending:,} of {plural(status.count, 'document')}"


def report_lines(report: UploadReport) -> list[str]:
    resumed = f", {plural(report.resumed, 'row')} done before" if report.resumed else ""
    same = f", {report.unchanged} of them as they were" if report.unchanged else ""
    written = f"{plural(report.written, 'document')} written{same}"
    lines = [f"{written}, {report.failed_count} refused{resumed}, {report.seconds:.1f} s"]
    lines += [f"row {one.row}, id {one.id}: {one.message} ({one.code})" for one in report.failed[:_SHOWN_FAILURES]]
    hidden = report.failed_count - _SHOWN_FAILURES
    return [*lines, f"and {hidden} more; --rejects FILE writes them"] if hidden > 0 else lines


def export(client: Client, arguments: Arguments, console: Console) -> int:
    """The lines are what `load` reads."""
    include = ("metadata", "text", "vector") if arguments.vectors else ("metadata", "text")
    for document in client.namespace(arguments.namespace).scan(all_of(arguments.filter), include=include):
        shown = {"id": document.id, "text": document.text, "metadata": document.metadata}
        console.out.write(json.dumps({**shown, **({"vector": document.vector} if arguments.vectors else {})}) + "\n")
    console.out.flush()
    return 0
