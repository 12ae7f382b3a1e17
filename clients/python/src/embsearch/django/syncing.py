"""The index made to agree with the rows. Whatever happened to a row, it is written as it is now, or deleted."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.apps import apps
from django.db import router

from embsearch.django.changes import follow_changes
from embsearch.django.conf import Conf, OnFailure
from embsearch.django.index import SearchIndex, index_of
from embsearch.documents import Document
from embsearch.errors import ApiError, InvalidRequest, NotFound
from embsearch.splitting import by_number

_MOST_LOOKS = 5
"""After so many changes of a row during its own write another change will come along."""
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Synced:
    written: int = 0
    deleted: int = 0
    refused: tuple[tuple[str, ApiError], ...] = ()
    """Ids of documents with what the service has against them."""

    def __add__(self, other: "Synced") -> "Synced":
        refused = (*self.refused, *other.refused)
        return Synced(self.written + other.written, self.deleted + other.deleted, refused)


def sync(label: str, keys: Iterable[object]) -> Synced:
    """Write the rows of these primary keys as they are now; those that are gone, or not searched, are deleted. It may
    be called again, late, and by several at once: the row decides. Raises EmbsearchError."""
    index = index_of(apps.get_model(label))
    done = Synced()
    for part in by_number(keys):
        done += _synced(index, [index.model._meta.pk.to_python(key) for key in part])
    return done


def _synced(index: SearchIndex, keys: Sequence[object]) -> Synced:
    done, left = Synced(), list(keys)
    for _ in range(_MOST_LOOKS):
        meant = _documents(index, left)
        done += _write(index, meant)
        # Another process may have written an older state of a row after this one. Who writes last looks again.
        now = _documents(index, left)
        left = [key for key in left if now[index.doc_id(key)] != meant[index.doc_id(key)]]
        if not left:
            break
    return done


def _documents(index: SearchIndex, keys: Sequence[object]) -> dict[str, Document | None]:
    """By their ids; None for what is to be deleted. A replica of the database may lag, so this reads where rows are
    written."""
    rows = index.queryset().using(router.db_for_write(index.model)).filter(pk__in=keys)
    found = {index.doc_id(row.pk): index.document(row) for row in rows}
    return {index.doc_id(key): found.get(index.doc_id(key)) for key in keys}


def _write(index: SearchIndex, meant: Mapping[str, Document | None]) -> Synced:
    space = index.space()
    documents = [document for document in meant.values() if document is not None]
    gone = [doc_id for doc_id, document in meant.items() if document is None]
    written, refused = 0, []
    if documents:
        try:
            for one in space.upsert(documents, wait=Conf.read().wait, model_id=index.model_id):
                written += one.error is None
                refused += [(one.id or "", one.error)] if one.error else []
        except InvalidRequest as error:
            # The service refuses a request none of whose documents is without a fault, and names the first.
            if len(documents) > 1:
                return _one_by_one(index, meant)
            refused = [(documents[0].id, error)]
    try:
        deleted = space.delete(gone) if gone else 0
    except NotFound:  # nothing was ever written there
        deleted = 0
    return Synced(written, deleted, tuple(refused))


def _one_by_one(index: SearchIndex, meant: Mapping[str, Document | None]) -> Synced:
    return sum((_write(index, {doc_id: document}) for doc_id, document in meant.items()), Synced())


def _follow(label: str, keys: list[str]) -> None:
    """After a commit. What the service refuses for good is a failure too."""
    conf = Conf.read()
    try:
        if (send := conf.sender()) is not None:
            send(label, keys)
            return
        done = sync(label, keys)
        if done.refused:
            raise done.refused[0][1]
    except Exception:
        if conf.on_failure is OnFailure.RAISE:
            raise
        logger.exception("%s rows of %s are not in the index as they are: %s", len(keys), label, ", ".join(keys[:20]))


follow_changes(_follow)
