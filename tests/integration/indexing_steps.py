"""Short names for what the consistency tests do."""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from django.db import connection

from embedding_project.contracts.model_spec import ModelSpec
from embedding_project.contracts.vectors import EmbeddedText
from embeddings_app.services.documents.outcomes import DocumentResult, Wait
from embeddings_app.services.documents.upserting import DocumentWrite, UpsertRequest, upsert
from embeddings_app.services.embedding.cache import cached_vectors
from embeddings_app.services.embedding.embed import EmbedOutcome
from embeddings_app.services.indexing.claiming import Claiming
from embeddings_app.services.indexing.indexing import Embed, index_pending

NAMESPACE = "tests"
Result = TypeVar("Result")


def document(doc_id: str, text: str, metadata: dict[str, Any] | None = None) -> DocumentWrite:
    return DocumentWrite(doc_id=doc_id, text=text, vector=None, metadata=metadata, field="")


def request(*documents: DocumentWrite, namespace: str = NAMESPACE, model_id: str | None = None) -> UpsertRequest:
    """A request of several documents, each of which knows its place."""
    placed = tuple(replace(item, field=f"documents[{place}]") for place, item in enumerate(documents))
    return UpsertRequest(namespace=namespace, model_id=model_id, documents=placed, wait=Wait.ACCEPTED)


def put(*documents: tuple[str, str], metadata: dict[str, Any] | None = None) -> tuple[DocumentResult, ...]:
    """Upsert (id, text) pairs."""
    writes = tuple(document(doc_id, text, metadata) for doc_id, text in documents)
    results = upsert(replace(request(), documents=writes)).results
    return tuple(item for item in results if isinstance(item, DocumentResult))


def in_thread(work: Callable[..., Result], *arguments: Any) -> Result:
    """`work` in a thread of a pool, without the thread's database connection left behind."""
    try:
        return work(*arguments)
    finally:
        connection.close()


def embed(spec: ModelSpec, texts: Sequence[str]) -> list[EmbedOutcome]:
    """A vector from the hash of each text, without an embedder."""
    return [embedded(text, spec.dimension) for text in texts]


def embedded(text: str, dimension: int) -> EmbedOutcome:
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")
    vector = np.random.default_rng(seed).standard_normal(dimension).astype(np.float32)
    return EmbedOutcome(vector=vector, tokens=len(text), truncated=False, cached=False, error=None)


def frame(text: str, dimension: int) -> bytes:
    """What an embedder writes into the cache for the text."""
    outcome = embedded(text, dimension)
    assert outcome.vector is not None
    return EmbeddedText(outcome.vector, outcome.tokens, outcome.truncated).to_frame()


def failing(code: str, count: int) -> list[EmbedOutcome]:
    return [EmbedOutcome(vector=None, tokens=0, truncated=False, cached=False, error=code)] * count


def index(using: Embed = embed, *, embedder_restarted: bool = False) -> None:
    """Work on everything that is due."""
    index_pending(60.0, using, lambda since: embedder_restarted, Claiming())


def make_due() -> None:
    """Let back-offs and leases be over."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE embedding_record SET next_attempt_at = now(), lease_until = NULL")


def rows(sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters or None)
        return [tuple(row) for row in cursor.fetchall()]


def record(doc_id: str) -> tuple[str, int, int, int]:
    """State, embedded text revision, attempts and batch limit of a document's record."""
    found = rows(
        """
        SELECT r.state, r.text_revision, r.attempts, r.batch_limit FROM embedding_record r
        JOIN document d ON d.id = r.document_id WHERE d.doc_id = %s
        """,
        doc_id,
    )
    return found[0]


@contextmanager
def unhurried() -> Iterator[None]:
    """Statements of the block may take as long as they take on a busy machine."""
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0; SET lock_timeout = 0")
        try:
            yield
        finally:
            cursor.execute("RESET statement_timeout; RESET lock_timeout")


def until_cached(spec: ModelSpec, key: bytes, frame: bytes) -> None:
    """A cache that is silent for a moment, as on a busy machine, is not asked for a second."""
    give_up = time.monotonic() + 60
    while not cached_vectors().find(spec, [key]):
        assert time.monotonic() < give_up
        cached_vectors().shared.put_many({key: frame})
