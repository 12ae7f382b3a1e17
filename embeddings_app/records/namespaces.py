"""Namespaces: made by the first write, with the metadata fields their documents use."""

import time
from collections.abc import Callable, Collection, Sequence
from collections.abc import Set as AbstractSet

from embedding_project.contracts.errors import ServiceError
from embedding_project.contracts.filters import typed
from embedding_project.contracts.languages import OFF
from embedding_project.contracts.metadata import flatten, stored_metadata, values_of
from embeddings_app.models import Document, Namespace
from embeddings_app.records.sql import execute, rows
from embeddings_app.records.transactions import RetryTransaction

_KINDS_ROWS = 100
_LOOK_ROWS = 1_000
_LOOK_SECONDS = 1.0


def claim_namespace(name: str, model_id: str, *, store_text: bool = True, text_search: str = OFF) -> Namespace:
    """The namespace of that name, made with these settings when there is none. In the caller's transaction. Raises
    RetryTransaction."""
    found = Namespace.objects.filter(name=name).first()
    if found is not None:
        return found
    execute(
        """
        INSERT INTO namespace (name, model_id, store_text, text_search, fields, created_at)
        VALUES (%s, %s, %s, %s, '{}', now()) ON CONFLICT (name) DO NOTHING
        """,
        [name, model_id, store_text, text_search],
    )
    made = Namespace.objects.filter(name=name).first()
    if made is None:
        # One of another model had the name, and was dropped just now.
        raise RetryTransaction("the namespace has just gone")
    return made


def free_name(space: Namespace) -> None:
    """Take the namespace out of everybody's sight: no name that a client may choose leads to it any more."""
    execute(
        "UPDATE namespace SET name = '.dropped-' || id, dropped_at = now() WHERE id = %s AND dropped_at IS NULL",
        [space.pk],
    )


def dropped_namespaces() -> list[Namespace]:
    """Those whose documents go, the oldest first."""
    return list(Namespace.objects.filter(dropped_at__isnull=False).order_by("dropped_at", "pk"))


def forget_namespace(space: Namespace) -> bool:
    """Delete the row of a dropped namespace once not even a tombstone is left; gives whether."""
    if Document.objects.filter(namespace=space).exists():
        return False
    # With what else is of the namespace: its bulk jobs, judgements and samples of searches.
    gone, _ = Namespace.objects.filter(pk=space.pk, dropped_at__isnull=False).delete()
    return gone > 0


def list_namespaces(names: Collection[str] | None, after: str, limit: int) -> list[Namespace]:
    """Namespaces in the order of their names, after one of them; of all, or of `names` alone."""
    found = Namespace.objects.filter(dropped_at__isnull=True, name__gt=after)
    if names is not None:
        found = found.filter(name__in=names)
    return list(found.order_by("name")[:limit])


def claim_fields(
    space: Namespace, wanted: Sequence[AbstractSet[str]], limit: int, unused: Callable[[], AbstractSet[str]]
) -> list[bool]:
    """Record the metadata fields of documents; of each, whether its fields fit in `limit` for the namespace.

    When they do not, the fields that are `unused` make room. Raises unknown_namespace when it has gone.
    """
    if set().union(*wanted) <= set(space.fields):
        return [True] * len(wanted)
    row = Namespace.objects.select_for_update(no_key=True).filter(pk=space.pk).first()
    if row is None:
        raise ServiceError("unknown_namespace", field="namespace")
    known = set(row.fields)
    if len(known.union(*wanted)) > limit:
        known -= unused()
    fitting = []
    for fields in wanted:
        fits = len(known | fields) <= limit
        fitting.append(fits)
        known |= fields if fits else set()
    row.fields = sorted(known)
    row.save(update_fields=["fields"])
    return fitting


def unused_fields(namespace_key: int, seconds: float = _LOOK_SECONDS) -> frozenset[str] | None:
    """The recorded fields that no live document has; None when a look at all documents would take longer."""
    until = time.monotonic() + seconds
    unseen = set(Namespace.objects.values_list("fields", flat=True).filter(pk=namespace_key).first() or ())
    last = ""
    while unseen:
        if time.monotonic() > until:
            return None
        found = rows(
            """
            SELECT doc_id, metadata::text FROM document
            WHERE namespace_id = %s AND NOT deleted AND doc_id > %s ORDER BY doc_id LIMIT %s
            """,
            [namespace_key, last, _LOOK_ROWS],
        )
        if not found:
            break
        for _, metadata in found:
            unseen -= flatten(stored_metadata(metadata)).keys()
        last = found[-1][0]
    return frozenset(unseen)


def kinds_of_fields(namespace_key: int) -> dict[str, set[str]]:
    """Metadata field -> kinds of its values (str, number, bool, list) in a hundred documents of the namespace."""
    found = rows(
        "SELECT metadata::text FROM document WHERE namespace_id = %s AND NOT deleted ORDER BY doc_id LIMIT %s",
        [namespace_key, _KINDS_ROWS],
    )
    kinds: dict[str, set[str]] = {}
    for (metadata,) in found:
        for path, value in flatten(stored_metadata(metadata)).items():
            kinds.setdefault(path, set()).update(typed(item)[0] for item in values_of(value))
    return kinds
