"""What LangChain passes and expects, beside what the client takes and gives."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

from langchain_core.documents import Document

from embsearch import documents as service
from embsearch.answers import Hit, Written
from embsearch.filters import FilterLike
from embsearch.namespace_steps import Target


def refuse(method: str, unknown: Mapping[str, Any]) -> None:
    """A misspelt filter of a delete must not delete everything."""
    if unknown:
        raise TypeError(f"{method} does not take {', '.join(sorted(unknown))}")


def documents(
    texts: Iterable[str], metadatas: Sequence[Mapping[str, Any]] | None, ids: Sequence[str | None] | None
) -> list[service.Document]:
    """One without an id gets one."""
    pages = list(texts)
    known = [None] * len(pages) if ids is None else ids
    fields = [{}] * len(pages) if metadatas is None else metadatas
    if not len(pages) == len(known) == len(fields):
        raise ValueError(f"{len(pages)} texts cannot have {len(fields)} metadatas and {len(known)} ids")
    return [
        service.Document(name or str(uuid4()), page, field)
        for name, page, field in zip(known, pages, fields, strict=True)
    ]


def with_vectors(pages: Sequence[service.Document], vectors: Sequence[list[float]]) -> list[service.Document]:
    return [replace(page, vector=vector) for page, vector in zip(pages, vectors, strict=True)]


def ids_of(written: Sequence[Written], pages: Sequence[service.Document]) -> list[str]:
    """Raises the first error of a document, and says which it is."""
    for page, one in zip(pages, written, strict=True):
        if one.error is not None:
            one.error.add_note(f"The document is {page.id!r}. Documents without a fault were written.")
            raise one.error
    return [page.id for page in pages]


def target_of(ids: Sequence[str] | None, chosen: FilterLike) -> Target | None:
    """None: every document."""
    if ids is not None and chosen is not None:
        raise ValueError("delete takes ids or a filter, not both")
    return chosen if ids is None else ids


def document(found: Hit | service.StoredDocument) -> Document:
    """Where the service keeps no text, the page is empty."""
    return Document(id=found.id, page_content=found.text or "", metadata=dict(found.metadata or {}))
