"""search, similar, get, ls, count, facet, rm"""

from argparse import Namespace as Arguments
from itertools import islice
from typing import cast

from embsearch.answers import Hit, Hits
from embsearch.cli.conditions import all_of
from embsearch.cli.console import Console, dumped, table
from embsearch.client import Client
from embsearch.namespace_steps import Target
from embsearch.search_request import SearchOptions, TextQuery
from embsearch.wording import plural

_SHOWN_TEXT = 200


def search(client: Client, arguments: Arguments, console: Console) -> int:
    text = console.stdin.read() if arguments.text == "-" else arguments.text
    how = _how(arguments)
    if arguments.mode is not None:
        how["mode"] = arguments.mode
    if arguments.highlight:
        how["highlight"] = True
    parts = {"phrases": arguments.phrase, "prefixes": arguments.prefix, "exact": arguments.token}
    given = {name: value for name, value in {**parts, "without": arguments.without}.items() if value}
    if given:
        how["text_query"] = cast(TextQuery, {"words": text, **given})
    by_words_alone = given and arguments.mode == "text"
    return _found(client.namespace(arguments.namespace).search(None if by_words_alone else text, **how), console)


def similar(client: Client, arguments: Arguments, console: Console) -> int:
    how = _how(arguments)
    how["like"] = arguments.ids
    return _found(client.namespace(arguments.namespace).search(**how), console)


def _how(arguments: Arguments) -> SearchOptions:
    how = SearchOptions(filter=all_of(arguments.filter))
    if arguments.with_text:
        how["include"] = ("metadata", "text")
    if arguments.top_k is not None:
        how["top_k"] = arguments.top_k
    if arguments.min_score is not None:
        how["min_score"] = arguments.min_score
    if arguments.exact:
        how["exact"] = True
    return how


def _found(hits: Hits, console: Console) -> int:
    lines = table([(f"{hit.score:.4f}", hit.id, _shown(_piece(hit) or hit.text, hit.metadata)) for hit in hits])
    console.show(hits, lines)
    for warning in hits.warnings:
        console.say(f"warning: {warning}")
    if hits.partial:
        console.say("warning: a part of the service did not answer, hits may be missing")
    if hits.text and hits.text.incomplete:
        console.say(f"warning: not all documents were searched by words: {hits.text.incomplete}")
    return 0


def _piece(hit: Hit) -> str:
    """The pieces of the text, each word that was looked for between stars."""
    shown = []
    for piece in hit.highlights:
        text, last = "", 0
        for begin, end in piece.marks:
            text += f"{piece.text[last:begin]}*{piece.text[begin:end]}*"
            last = end
        shown.append(text + piece.text[last:])
    return " ... ".join(shown)


def _shown(text: str | None, metadata: object) -> str:
    """On one line."""
    short = " ".join((text or "").split())[:_SHOWN_TEXT]
    return " ".join(part for part in (short, dumped(metadata) if metadata else "") if part)


def get(client: Client, arguments: Arguments, console: Console) -> int:
    found = client.namespace(arguments.namespace).get(arguments.ids)
    for document in found:
        head = f"{document.id}  revision {document.revision}, {document.state}"
        console.show(document, [head, document.text or "", dumped(document.metadata), ""])
    missing = set(arguments.ids) - {document.id for document in found}
    for doc_id in sorted(missing):
        console.say(f"embsearch: there is no document {doc_id!r}")
    return 1 if missing else 0


def ls(client: Client, arguments: Arguments, console: Console) -> int:
    order = "-id" if arguments.reverse else None
    found = client.namespace(arguments.namespace).scan(all_of(arguments.filter), include=["metadata"], order=order)
    for document in islice(found, arguments.limit):
        shown = {"id": document.id, "metadata": document.metadata, "state": document.state}
        console.show(shown, table([(document.id, document.state, _shown(None, document.metadata))]))
    return 0


def count(client: Client, arguments: Arguments, console: Console) -> int:
    found = client.namespace(arguments.namespace).count(all_of(arguments.filter))
    shown = {"count": found.value, "is_exact": found.is_exact}
    console.show(shown, [f"{found.value}{'' if found.is_exact else ' or more'}"])
    return 0


def facet(client: Client, arguments: Arguments, console: Console) -> int:
    space, chosen = client.namespace(arguments.namespace), all_of(arguments.filter)
    found = space.facet(arguments.field, chosen, limit=arguments.limit)
    console.show(found, table([(one.count, dumped(one.value)) for one in found.values]))
    if not found.is_exact:
        console.say("warning: there are more than were counted in time")
    return 0


def rm(client: Client, arguments: Arguments, console: Console) -> int:
    space, chosen = client.namespace(arguments.namespace), all_of(arguments.filter)
    given = [one for one in (arguments.ids, chosen is not None, arguments.everything) if one]
    if len(given) != 1:
        raise ValueError("name ids, or a filter, or --all")
    target: Target | None = arguments.ids or chosen
    if target is None and arguments.dry_run:
        number = space.count().value
    elif arguments.dry_run or arguments.ids or arguments.yes or console.agrees(_question(client, arguments)):
        number = space.clear() if target is None else space.delete(target, dry_run=arguments.dry_run)
    else:
        return 1
    console.show({"deleted": number, "dry_run": arguments.dry_run}, [plural(number, "document")])
    return 0


def _question(client: Client, arguments: Arguments) -> str:
    counted = client.namespace(arguments.namespace).count(all_of(arguments.filter))
    documents = plural(counted.value, "document")
    return f"Delete {'' if counted.is_exact else 'more than '}{documents} of {arguments.namespace}?"
