"""The vector that a search looks for: that of a text, one that the client brings, or one made of documents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from embedding_project.contracts.errors import InvalidRequest, ServiceError, Unavailable
from embedding_project.contracts.keys import InputType
from embedding_project.contracts.messages import Lane
from embedding_project.contracts.model_spec import ModelSpec, ModelType
from embedding_project.contracts.vectors import Vector, checked_vector, from_bytes, unit_length
from embeddings_app.models import Namespace
from embeddings_app.records.reading import read_documents, read_vectors
from embeddings_app.services.embedding.embed import INFRASTRUCTURE_ERRORS, EmbedOutcome, embed_texts
from embeddings_app.services.embedding.hot_texts import count_queries

_UNKNOWN_QUERY = "the model knows no token of the query; it finds what any other such query finds"
_LEAST_LENGTH = 1e-6


@dataclass(frozen=True, slots=True)
class Liked:
    """A document that the hits should be like, or unlike when the weight is negative."""

    doc_id: str
    weight: float
    field: str
    """Where it stands in the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to be near to: one of the three; none where words alone are looked for."""

    query: str | None = None
    """In normal form."""
    vector: list[Any] | str | None = None
    """Its numbers, or base64 of them."""
    liked: tuple[Liked, ...] = ()


def wanted_vector(
    wanted: Wanted, spec: ModelSpec, space: Namespace, deadline: float, embedded: Mapping[str, EmbedOutcome]
) -> tuple[Vector, tuple[str, ...]]:
    """Shape (d,), of unit length, and what there is to say of it. `embedded` has texts that need not be embedded again.
    Raises ServiceError."""
    if wanted.vector is not None:
        return checked_vector(wanted.vector, spec.dimension, "vector"), ()
    if wanted.liked:
        return _between(wanted.liked, spec, space), ()
    if spec.type is ModelType.EXTERNAL or wanted.query is None:
        raise InvalidRequest("vector_required", field="query")
    outcome = embedded.get(wanted.query) or embed_queries(spec, [wanted.query], deadline)[wanted.query]
    if outcome.error == "empty_input":
        raise InvalidRequest(outcome.error, field="query")
    if outcome.vector is None:
        code = outcome.error if outcome.error in INFRASTRUCTURE_ERRORS else "model_error"
        raise Unavailable(code or "model_error")
    return unit_length(outcome.vector), (_UNKNOWN_QUERY,) if outcome.unknown else ()


def embed_queries(spec: ModelSpec, texts: Sequence[str], deadline: float) -> dict[str, EmbedOutcome]:
    """Text -> what became of it. Raises Unavailable."""
    count_queries(spec.model_id, texts)
    outcomes = embed_texts(spec, InputType.QUERY, texts, Lane.INTERACTIVE, deadline, reserve=True)
    return dict(zip(texts, outcomes, strict=True))


def _between(liked: Sequence[Liked], spec: ModelSpec, space: Namespace) -> Vector:
    """The sum of the documents' vectors by their weights, brought to unit length."""
    vectors = _vectors_of(liked, spec, space)
    weights = np.asarray([one.weight for one in liked], np.float64)
    together: Vector = (weights @ np.stack([vectors[one.doc_id] for one in liked])).astype(np.float32)
    if np.linalg.norm(together) < _LEAST_LENGTH:
        raise InvalidRequest("zero_vector", "the documents cancel each other out", field=liked[-1].field)
    return unit_length(together)


def _vectors_of(liked: Sequence[Liked], spec: ModelSpec, space: Namespace) -> Mapping[str, Vector]:
    """Id -> vector, shape (d,)."""
    found = read_documents(space.pk, spec.version_key, [one.doc_id for one in liked])
    stored = read_vectors(spec.version_key, [row.key for row in found.values()])
    vectors: dict[str, Vector] = {}
    for one in liked:
        row = found.get(one.doc_id)
        if row is None:
            message = f"no document {one.doc_id[:200]!r} in namespace {space.name!r}"
            raise ServiceError("unknown_document", message, field=one.field)
        if row.key not in stored:
            raise ServiceError("not_embedded", f"document {one.doc_id[:200]!r} has no vector yet", field=one.field)
        vectors[one.doc_id] = from_bytes(stored[row.key], spec.dimension)[0]
    return vectors
