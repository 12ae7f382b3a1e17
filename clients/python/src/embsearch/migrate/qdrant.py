"""The points of a collection of Qdrant, in the order of their ids."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from embsearch.migrate.moving import Row, Wanted, place_of, source_of_rows, with_text
from embsearch.upload.sources import Source

_PAGE = 256


def qdrant_rows(place: str, collection: str, wanted: Wanted, api_key: str | None = None) -> Source:
    """`place` is a URL, or the folder of a local Qdrant. Raises ValueError, and what qdrant-client raises."""
    qdrant = import_module("qdrant_client")
    local = Path(place).is_dir()
    client = qdrant.QdrantClient(path=place) if local else qdrant.QdrantClient(url=place, api_key=api_key)
    if not client.collection_exists(collection):
        names = ", ".join(one.name for one in client.get_collections().collections)
        raise ValueError(f"there is no collection {collection!r}, only {names or 'none'}")
    total = client.count(collection, exact=True).count
    rows = _points(client, collection, wanted)
    return source_of_rows(rows, wanted, total, {"qdrant": place_of(place), "collection": collection})


def _points(client: Any, collection: str, wanted: Wanted) -> Iterator[Row]:
    offset = None
    try:
        while True:
            points, offset = client.scroll(
                collection, limit=_PAGE, offset=offset, with_payload=True, with_vectors=wanted.vectors
            )
            for point in points:
                text, payload = with_text(point.payload or {}, wanted)
                yield Row(id=str(point.id), text=text, vector=_vector(point, wanted), payload=payload)
            if offset is None:
                return
    finally:
        client.close()


def _vector(point: Any, wanted: Wanted) -> Any:
    """The one that is to go along; the others are counted. Sparse vectors and several for one point have no place."""
    vectors = point.vector if isinstance(point.vector, dict) else {"": point.vector}
    if not wanted.vectors:
        return None
    chosen = wanted.vector if wanted.vector is not None else next(iter(vectors))
    for name in vectors:
        if name != chosen:
            wanted.left_out.add(f"vector {name!r}", "a document has one vector")
    vector = vectors.get(chosen)
    if isinstance(vector, list) and (not vector or isinstance(vector[0], int | float)):
        return vector
    if vector is not None:
        wanted.left_out.add(f"vector {chosen!r}", "no dense vector")
    return None
