"""status, embed, model ls, ns ls, ns new, ns text-search, ns rm"""

import time
from argparse import Namespace as Arguments
from collections.abc import Callable
from typing import Any, NoReturn

from embsearch.cli.console import Console, table
from embsearch.client import Client
from embsearch.errors import EmbsearchError
from embsearch.wording import plural

NOT_READY = 3


def status(client: Client, arguments: Arguments, console: Console) -> int:
    if arguments.watch is None:
        return _status(client, arguments, console)
    return watch(client, arguments, console, pause=time.sleep)


def watch(client: Client, arguments: Arguments, console: Console, pause: Callable[[float], object]) -> NoReturn:
    """Until it is interrupted, also while the service is away: whoever watches wants to see it come back."""
    while True:
        try:
            _status(client, arguments, console)
        except EmbsearchError as error:
            console.say(f"embsearch: {error}")
        pause(arguments.watch)


def _status(client: Client, arguments: Arguments, console: Console) -> int:
    health = client.health()
    rows: list[tuple[object, ...]] = [
        ("ok" if check.ok else "BAD", name, check.detail) for name, check in health.checks.items()
    ]
    value: dict[str, Any] = {"ready": health.ready, "checks": health.checks}
    if arguments.namespace:
        space = client.namespace(arguments.namespace).status()
        value["namespace"] = space
        told = f"{plural(space.count, 'document')}, {space.pending} pending, {space.searchable} searchable"
        rows.append(("", space.name, f"{told}, {space.quarantined} quarantined"))
    else:
        value["namespaces"] = client.namespaces.list()
        rows += [("", one.name, _counted(one.count, one.count_is_exact)) for one in value["namespaces"]]
    console.show(value, ["ready" if health.ready else "not ready", *table(rows)])
    return 0 if health.ready else NOT_READY


def _counted(count: int | None, is_exact: bool | None) -> str:
    if count is None:
        return ""
    return plural(count, "document") if is_exact else f"{count:,} or more documents"


def embed(client: Client, arguments: Arguments, console: Console) -> int:
    texts = console.stdin.read().splitlines() if arguments.texts == ["-"] else arguments.texts
    how = {"input_type": "query" if arguments.query else None, "model_id": arguments.model}
    rows = client.embed(texts, **{name: value for name, value in how.items() if value is not None})
    for text, row in zip(texts, rows, strict=True):
        numbers = row.tolist() if hasattr(row, "tolist") else row
        console.show({"text": text, "vector": numbers}, [str(numbers)])
    return 0


def model_ls(client: Client, _arguments: Arguments, console: Console) -> int:
    models = client.models.list()
    rows = [(one.model_id, one.model_version, one.status, one.type, f"{one.dimension} dimensions") for one in models]
    console.show({"models": models}, table(rows))
    return 0


def ns_ls(client: Client, _arguments: Arguments, console: Console) -> int:
    spaces = client.namespaces.list()
    rows = [(one.name, one.model_id, _counted(one.count, one.count_is_exact)) for one in spaces]
    console.show({"namespaces": spaces}, table(rows))
    return 0


def ns_new(client: Client, arguments: Arguments, console: Console) -> int:
    client.namespaces.create(
        arguments.name,
        model_id=arguments.model,
        store_text=False if arguments.no_text else None,
        text_search=arguments.text_search,
    )
    console.show({"name": arguments.name}, [f"namespace {arguments.name} exists now"])
    return 0


def ns_text_search(client: Client, arguments: Arguments, console: Console) -> int:
    client.namespaces.set_text_search(arguments.name, arguments.language)
    told = f"text search of {arguments.name} is {arguments.language}"
    console.show({"name": arguments.name, "text_search": arguments.language}, [told])
    return 0


def ns_rm(client: Client, arguments: Arguments, console: Console) -> int:
    if not (arguments.yes or console.agrees(f"Drop {arguments.name} with all its documents?")):
        return 1
    dropped = client.namespaces.delete(arguments.name)
    console.show({"name": arguments.name, "dropped": dropped}, ["dropped" if dropped else "there was none"])
    return 0 if dropped else 1
