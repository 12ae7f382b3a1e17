"""What Haystack passes and expects, beside what the client takes and gives."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from haystack import Document
from haystack.document_stores.errors import DocumentStoreError, DuplicateDocumentError
from haystack.document_stores.types import DuplicatePolicy

from embsearch import documents as service
from embsearch.answers import Hit, Written

CREATE_ONLY = 0
"""The revision of a document that is not there."""


def to_write(given: Any, policy: DuplicatePolicy, embeds_here: bool) -> list[service.Document]:
    """Each id once. Raises ValueError for what is no list of documents, DuplicateDocumentError."""
    if not isinstance(given, list) or not all(isinstance(one, Document) for one in given):
        raise ValueError("documents must be a list of Documents")
    chosen: dict[str, service.Document] = {}
    for one in given:
        if one.id in chosen and policy in (DuplicatePolicy.NONE, DuplicatePolicy.FAIL):
            raise DuplicateDocumentError(f"the document {one.id!r} is there twice")
        if one.id not in chosen or policy == DuplicatePolicy.OVERWRITE:
            chosen[one.id] = _document(one, embeds_here)
    if policy == DuplicatePolicy.OVERWRITE:
        return list(chosen.values())
    return [replace(one, if_revision=CREATE_ONLY) for one in chosen.values()]


def _document(one: Document, embeds_here: bool) -> service.Document:
    if embeds_here and one.embedding is None:
        raise ValueError(f"the document {one.id!r} has no embedding, and the service embeds nothing here")
    if one.content is None and not embeds_here:
        raise ValueError(f"the document {one.id!r} has no content; the service embeds texts")
    return service.Document(one.id, one.content, one.meta, one.embedding if embeds_here else None)


def written(outcomes: Iterable[Written], pages: Sequence[service.Document], policy: DuplicatePolicy) -> int:
    """How many were written. Raises DuplicateDocumentError, or the first other error of a document."""
    number = 0
    for page, one in zip(pages, outcomes, strict=True):
        if one.error is None:
            number += 1
        elif one.error.code != "revision_conflict":
            one.error.add_note(f"The document is {page.id!r}. Documents without a fault were written.")
            raise one.error
        elif policy != DuplicatePolicy.SKIP:
            told = "Documents that were not there before were written."
            raise DuplicateDocumentError(f"there is a document {page.id!r} already. {told}") from one.error
    return number


def document(found: Hit | service.StoredDocument) -> Document:
    """Where the service keeps no text, there is no content."""
    score = found.score if isinstance(found, Hit) else None
    vector = None if found.vector is None else list(found.vector)
    return Document(id=found.id, content=found.text, meta=dict(found.metadata or {}), score=score, embedding=vector)


def exact(number: int, is_exact: bool) -> int:
    """Raises DocumentStoreError for a count that ran out of time: Haystack has no way to say "or more"."""
    if not is_exact:
        raise DocumentStoreError(f"there are more than the {number} that were counted in time")
    return number
