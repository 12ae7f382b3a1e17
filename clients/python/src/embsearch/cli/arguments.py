"""The arguments of every command."""

import argparse
from collections.abc import Callable

from embsearch.cli import document_commands, load_commands, migrate_commands, service_commands
from embsearch.cli.conditions import SYNTAX, condition

EXIT_CODES = """exit codes: 0 done; 1 the service refused, or something is not there; 2 the command cannot be meant;
3 the service is not reached or not ready; 4 some documents of a load were refused; 130 interrupted"""


def parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--url", help="of the service; else EMBSEARCH_URL, else http://127.0.0.1:8000")
    shared.add_argument("--api-key", help="better in EMBSEARCH_API_KEY, where other users do not see it")
    shared.add_argument("--json", action="store_true", help="answers as JSON, a line each; errors too")
    top = argparse.ArgumentParser(prog="embsearch", description="Embedding and semantic search.", epilog=EXIT_CODES)
    add = _Commands(top.add_subparsers(required=True, metavar="COMMAND"), shared)
    _service(add)
    _documents(add)
    _loads(add)
    _migrations(add.group("migrate", "Move documents from another store."))
    return top


class _Commands:
    def __init__(
        self, commands: "argparse._SubParsersAction[argparse.ArgumentParser]", shared: argparse.ArgumentParser
    ) -> None:
        self._commands, self._shared = commands, shared

    def __call__(
        self, name: str, does: Callable[..., int], text: str, *, spaced: bool = False, filtered: bool = False
    ) -> argparse.ArgumentParser:
        made = self._commands.add_parser(name, parents=[self._shared], help=text, description=text)
        made.set_defaults(does=does)
        if spaced:
            made.add_argument("-n", "--namespace", default="default", metavar="NAME", help="default: default")
        if filtered:
            told = f"only documents that pass; may be given several times: {SYNTAX}"
            made.add_argument("-f", "--filter", type=condition, action="append", default=[], help=told)
        return made

    def group(self, name: str, text: str) -> "_Commands":
        made = self._commands.add_parser(name, help=text, description=text)
        return _Commands(made.add_subparsers(required=True, metavar="COMMAND"), self._shared)


def _service(add: _Commands) -> None:
    status = add("status", service_commands.status, "Whether the service is ready, and how many documents it has.")
    status.add_argument("-n", "--namespace", metavar="NAME", help="only this one, with what still waits")
    status.add_argument("--watch", type=float, nargs="?", const=2.0, metavar="SECONDS", help="again and again")
    embed = add("embed", service_commands.embed, "Turn texts into vectors, each a line of JSON.")
    embed.add_argument("texts", nargs="+", metavar="TEXT", help="or -: each line of standard input is a text")
    embed.add_argument("--query", action="store_true", help="for models with another prompt before queries")
    embed.add_argument("--model", metavar="MODEL_ID")
    models = add.group("model", "Models.")
    models("ls", service_commands.model_ls, "List the versions of models.")
    spaces = add.group("ns", "Namespaces.")
    spaces("ls", service_commands.ns_ls, "List the namespaces.")
    new = spaces("new", service_commands.ns_new, "Make a namespace.")
    new.add_argument("name")
    new.add_argument("--model", metavar="MODEL_ID")
    new.add_argument("--no-text", action="store_true", help="texts are not kept once they are embedded")
    new.add_argument(
        "--text-search", metavar="LANGUAGE", help="words can be searched too: simple, english, german, ..."
    )
    words = spaces("text-search", service_commands.ns_text_search, "Switch searches by words on or off.")
    words.add_argument("name")
    words.add_argument("language", help="simple, english, german, ...; or off")
    gone = spaces("rm", service_commands.ns_rm, "Drop a namespace with all its documents.")
    gone.add_argument("name")
    gone.add_argument("--yes", action="store_true", help="do not ask")


def _documents(add: _Commands) -> None:
    search = add("search", document_commands.search, "Search by meaning or words.", spaced=True, filtered=True)
    search.add_argument("text", metavar="TEXT", help="or -: standard input")
    search.add_argument("--mode", choices=("vector", "text", "hybrid"), help="by meaning, by words, or by both")
    search.add_argument("--phrase", action="append", metavar="WORDS", help="must stand side by side")
    search.add_argument("--prefix", action="append", metavar="BEGINNING", help="must begin a word")
    search.add_argument("--token", action="append", metavar="TEXT", help="must stand there as it is")
    search.add_argument("--without", metavar="WORDS", help="must not be there")
    search.add_argument("--highlight", action="store_true", help="show where the words are")
    similar = add("similar", document_commands.similar, "Documents near to others.", spaced=True, filtered=True)
    similar.add_argument("ids", nargs="+", metavar="ID")
    for one in (search, similar):
        one.add_argument("-k", "--top-k", type=int, metavar="NUMBER")
        one.add_argument("--min-score", type=float, metavar="SCORE")
        one.add_argument("--text", action="store_true", dest="with_text", help="show the texts too")
        one.add_argument("--exact", action="store_true", help="compare with every vector")
    get = add("get", document_commands.get, "Read documents by their ids.", spaced=True)
    get.add_argument("ids", nargs="+", metavar="ID")
    listing = add("ls", document_commands.ls, "List documents.", spaced=True, filtered=True)
    listing.add_argument("--limit", type=int, metavar="NUMBER", help="at most so many")
    listing.add_argument("--reverse", action="store_true", help="the last id first")
    add("count", document_commands.count, "Count documents.", spaced=True, filtered=True)
    facet = add("facet", document_commands.facet, "Count the values of a field.", spaced=True, filtered=True)
    facet.add_argument("field")
    facet.add_argument("--limit", type=int, metavar="NUMBER", help="at most so many values")
    gone = add("rm", document_commands.rm, "Delete documents: ids, or a filter, or all.", spaced=True, filtered=True)
    gone.add_argument("ids", nargs="*", metavar="ID")
    gone.add_argument("--all", action="store_true", dest="everything")
    gone.add_argument("--dry-run", action="store_true", help="only say how many it would be")
    gone.add_argument("--yes", action="store_true", help="do not ask")


def _loads(add: _Commands) -> None:
    load = add("load", load_commands.load, "Load documents from a file.", spaced=True)
    load.add_argument("file", help=".jsonl, .csv, .tsv or .parquet; or -: JSON lines from standard input")
    load.add_argument("--id", default="id", metavar="COLUMN", help="default: id")
    load.add_argument("--text", default="text", metavar="COLUMN", help="default: text")
    load.add_argument("--vector", default="vector", metavar="COLUMN", help="default: vector")
    told = "metadata, separated by commas; year:number and draft:boolean read texts of CSV files so"
    load.add_argument("--meta", metavar="COLUMNS", help=told)
    load.add_argument("--model", metavar="MODEL_ID")
    load.add_argument("--batch", type=int, default=128, metavar="NUMBER", help="documents in a request")
    load.add_argument("--parallel", type=int, default=4, metavar="NUMBER", help="requests at a time")
    load.add_argument("--progress", action="store_true", help="also where no terminal is")
    load.add_argument("--resume", action="store_true", help="keep FILE.ckpt, and go on from it after a load was killed")
    load.add_argument("--rejects", metavar="FILE", help="write the first thousand refused documents, as JSON lines")
    load.add_argument("--wait", action="store_true", help="until everything can be searched")
    export = add("export", load_commands.export, "Write documents as JSON lines.", spaced=True, filtered=True)
    export.add_argument("--vectors", action="store_true")


def _migrations(add: _Commands) -> None:
    """What is in another store when the command runs is moved; it must not change meanwhile."""
    qdrant = add("qdrant", migrate_commands.qdrant, "The points of a collection of Qdrant.", spaced=True)
    qdrant.add_argument("place", metavar="URL_OR_FOLDER")
    qdrant.add_argument("collection")
    qdrant.add_argument("--key", help="of Qdrant")
    chroma = add("chroma", migrate_commands.chroma, "The records of a collection of Chroma.", spaced=True)
    chroma.add_argument("place", metavar="URL_OR_FOLDER")
    chroma.add_argument("collection")
    pgvector = add("pgvector", migrate_commands.pgvector, "The rows of a table with pgvector or arrays.", spaced=True)
    pgvector.add_argument("place", metavar="ADDRESS", help="of the database: postgresql://...")
    pgvector.add_argument("table")
    pgvector.add_argument("--id", default="id", metavar="COLUMN", help="default: id")
    for one, text in ((qdrant, "text"), (chroma, "document"), (pgvector, "text")):
        one.add_argument("--text", default=text, metavar="FIELD", help=f"that has the text; default: {text}")
        one.add_argument("--vectors", action="store_true", help="take the vectors along; else texts are embedded again")
        one.add_argument("--vector", metavar="NAME", help="of the vector, where there are several")
        one.add_argument("--model", metavar="MODEL_ID", help="of the service; with --vectors an external one")
        one.add_argument("--batch", type=int, default=128, metavar="NUMBER", help="documents in a request")
        one.add_argument("--parallel", type=int, default=4, metavar="NUMBER", help="requests at a time")
        one.add_argument("--progress", action="store_true", help="also where no terminal is")
        one.add_argument("--checkpoint", metavar="FILE", help="keep there what is done, and go on from there")
        one.add_argument("--wait", action="store_true", help="until everything can be searched")
