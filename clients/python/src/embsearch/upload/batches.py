"""Rows become requests: so many documents, so many bytes, and no id twice in one request."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from embsearch.documents import document_json
from embsearch.exchange import encoded
from embsearch.splitting import MOST_BYTES
from embsearch.upload.report import FailedDocument
from embsearch.upload.rows import BadRow, Columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A document that is ready to be sent."""

    row: int
    id: str
    body: bytes
    once: bool
    """It names the revision that it is to replace."""


@dataclass(slots=True)
class Batch:
    items: list[Item] = field(default_factory=list)
    bad: list[FailedDocument] = field(default_factory=list)
    """Rows between them that are no documents."""
    bytes: int = 0
    ids: set[str] = field(default_factory=set)

    def rows(self) -> Iterator[int]:
        yield from (item.row for item in self.items)
        yield from (failed.row for failed in self.bad)

    def __len__(self) -> int:
        return len(self.items) + len(self.bad)


class Batches:
    """Gives a batch back when it is full."""

    def __init__(self, columns: Columns, most: int) -> None:
        self._columns, self._most, self._batch = columns, most, Batch()

    def add(self, number: int, row: object) -> Batch | None:
        item = self._item(number, row)
        full = None
        if isinstance(item, FailedDocument):
            self._batch.bad.append(item)
        else:
            if item.id in self._batch.ids or self._batch.bytes + len(item.body) > MOST_BYTES:
                full = self.rest()
            self._batch.items.append(item)
            self._batch.ids.add(item.id)
            self._batch.bytes += len(item.body) + 1
        return self.rest() if full is None and len(self._batch) >= self._most else full

    def rest(self) -> Batch | None:
        batch, self._batch = self._batch, Batch()
        return batch if len(batch) else None

    def _item(self, number: int, row: object) -> Item | FailedDocument:
        try:
            document = self._columns.document(row)
            body, once = encoded(document_json(document)), document.if_revision is not None
            return Item(row=number, id=document.id, body=body, once=once)
        except (BadRow, TypeError, ValueError, AttributeError, RecursionError) as error:
            doc_id = getattr(row, "id", None) or (row.get(self._columns.id) if isinstance(row, dict) else None)
            shown = None if doc_id is None else str(doc_id)
            return FailedDocument(row=number, id=shown, code="bad_row", message=str(error))
