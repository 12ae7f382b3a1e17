"""Metadata fields of a namespace that no document has any more, some seconds old: a look may cost a second."""

from embedding_project.threads.expiring import ExpiringCache
from embeddings_app.records import namespaces

_FRESH_SECONDS = 10.0
_unused = ExpiringCache[int, frozenset[str] | None](namespaces.unused_fields, _FRESH_SECONDS)


def unused_fields(namespace_key: int) -> frozenset[str] | None:
    """None for a namespace that is too large to look through."""
    return _unused.get(namespace_key)


def forget_cached() -> None:
    _unused.clear()
