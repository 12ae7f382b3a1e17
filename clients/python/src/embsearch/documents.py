"""Documents, as they are written and as they are read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from embsearch.vectors import base64_of


@dataclass(frozen=True, slots=True)
class Document:
    """A document to write. An upsert replaces the whole document, metadata too."""

    id: str
    text: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    vector: Any = None
    """A list of numbers or a numpy array, for models that take vectors."""
    expires_at: datetime | None = None
    """From then on no answer shows the document. It needs an offset."""
    if_revision: int | None = None
    """Write only if the document is at this revision; 0: only if there is none. Else: Conflict, `revision_conflict`."""

    def to_json(self) -> dict[str, Any]:
        body: dict[str, Any] = {"id": self.id}
        if self.text is not None:
            body["text"] = self.text
        if self.vector is not None:
            body["vector"] = base64_of(self.vector)
        if self.metadata:
            body["metadata"] = dict(self.metadata)
        if self.expires_at is not None:
            if self.expires_at.utcoffset() is None:
                raise ValueError("expires_at needs an offset: datetime.now(UTC)")
            body["expires_at"] = self.expires_at.isoformat()
        if self.if_revision is not None:
            body["if_revision"] = self.if_revision
        return body


def document_json(document: Document | Mapping[str, Any]) -> dict[str, Any]:
    """A mapping has the names of the service already."""
    return document.to_json() if isinstance(document, Document) else dict(document)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDocument:
    """A document as the service keeps it."""

    id: str
    namespace: str
    text: str | None
    """None where none is stored, or `include` leaves it out; likewise `metadata` and `vector`."""
    metadata: Mapping[str, Any] | None
    vector: list[float] | None
    revision: int
    state: str
    """pending, indexed or quarantined."""
    stale: bool
    """Searches still use the vector of an earlier text."""
    updated_at: str
    expires_at: str | None

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> "StoredDocument":
        return cls(
            id=body["id"],
            namespace=body["namespace"],
            text=body.get("text"),
            metadata=body.get("metadata"),
            vector=body.get("vector"),
            revision=body["revision"],
            state=body["state"],
            stale=body["stale"],
            updated_at=body["updated_at"],
            expires_at=body.get("expires_at"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a listing."""

    documents: tuple[StoredDocument, ...]
    next: str | None
    """Cursor of the next page; only None tells the end."""

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> "Page":
        return cls(documents=tuple(map(StoredDocument.of, body["documents"])), next=body["next"])
