"""The records of a collection of Chroma, in the order in which Chroma lists them."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from embsearch.migrate.moving import Row, Wanted, place_of, source_of_rows, with_text
from embsearch.upload.sources import Source

_PAGE = 256


def chroma_rows(place: str, collection: str, wanted: Wanted) -> Source:
    """`place` is the folder of a persistent Chroma, or the URL of a server. Raises ValueError, and what chromadb
    raises."""
    chroma = import_module("chromadb")
    client = chroma.PersistentClient(path=place) if Path(place).is_dir() else _server(chroma, place)
    names = [one.name for one in client.list_collections()]
    if collection not in names:
        raise ValueError(f"there is no collection {collection!r}, only {', '.join(sorted(names)) or 'none'}")
    # Without a function that embeds, Chroma loads no model.
    records = client.get_collection(collection, embedding_function=None)
    rows = _records(records, wanted)
    return source_of_rows(rows, wanted, records.count(), {"chroma": place_of(place), "collection": collection})


def _server(chroma: Any, place: str) -> Any:
    url = urlsplit(place)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise ValueError(f"{place!r} is neither a folder nor a URL")
    return chroma.HttpClient(host=url.hostname, port=url.port or 8000, ssl=url.scheme == "https")


def _records(records: Any, wanted: Wanted) -> Iterator[Row]:
    include = ["documents", "metadatas", *(["embeddings"] if wanted.vectors else [])]
    offset = 0
    while True:
        page = records.get(limit=_PAGE, offset=offset, include=include)
        for place, record_id in enumerate(page["ids"]):
            payload = dict(page["metadatas"][place] or {})
            text = page["documents"][place]
            if text is None:
                text, payload = with_text(payload, wanted)
            vector = page["embeddings"][place] if wanted.vectors else None
            yield Row(id=record_id, text=text, vector=vector, payload=payload)
        offset += len(page["ids"])
        if len(page["ids"]) < _PAGE:
            return
