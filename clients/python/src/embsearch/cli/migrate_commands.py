"""migrate qdrant, migrate chroma, migrate pgvector"""

from argparse import Namespace as Arguments

from embsearch.cli.console import Console
from embsearch.cli.load_commands import SOME_FAILED, report_lines
from embsearch.client import Client
from embsearch.migrate.carrying import LeftOut
from embsearch.migrate.chroma import chroma_rows
from embsearch.migrate.moving import Wanted
from embsearch.migrate.pgvector import pgvector_rows
from embsearch.migrate.qdrant import qdrant_rows
from embsearch.upload.load import UploadOptions
from embsearch.upload.report import progress_line
from embsearch.upload.sources import Source

_A_DAY_SECONDS = 86400.0


def qdrant(client: Client, arguments: Arguments, console: Console) -> int:
    wanted = _wanted(arguments)
    return _moved(
        client, arguments, console, wanted, qdrant_rows(arguments.place, arguments.collection, wanted, arguments.key)
    )


def chroma(client: Client, arguments: Arguments, console: Console) -> int:
    wanted = _wanted(arguments)
    return _moved(client, arguments, console, wanted, chroma_rows(arguments.place, arguments.collection, wanted))


def pgvector(client: Client, arguments: Arguments, console: Console) -> int:
    wanted = _wanted(arguments)
    source = pgvector_rows(arguments.place, arguments.table, wanted, arguments.id)
    return _moved(client, arguments, console, wanted, source)


def _wanted(arguments: Arguments) -> Wanted:
    """Raises ValueError."""
    if arguments.vectors and not arguments.model:
        raise ValueError("--vectors needs --model: the external model of the service that takes them")
    return Wanted(text=arguments.text, vectors=arguments.vectors, vector=arguments.vector, left_out=LeftOut())


def _moved(client: Client, arguments: Arguments, console: Console, wanted: Wanted, source: Source) -> int:
    space = client.namespace(arguments.namespace)
    client.health()  # Nothing listens: that is said now, and not after the patience of a load.
    shows = arguments.progress or console.err.isatty()
    how = UploadOptions(
        batch=arguments.batch,
        parallel=arguments.parallel,
        progress=progress_line(console.err) if shows else False,
        checkpoint=arguments.checkpoint,
        model_id=arguments.model,
    )
    report = space.upload(source, **how)
    if arguments.wait and report.written:
        space.wait(timeout=_A_DAY_SECONDS)
    console.show(report, [*report_lines(report), *(f"left out: {line}" for line in wanted.left_out.lines())])
    if console.as_json:
        for line in wanted.left_out.lines():
            console.say(f"left out: {line}")
    return SOME_FAILED if report.failed_count else 0
