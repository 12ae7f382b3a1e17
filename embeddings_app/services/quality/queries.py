"""The queries that versions are measured with: searches of clients, and documents where there are too few of these."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from embedding_project.contracts.filters import Filter, from_wire
from embedding_project.contracts.limits import DEFAULT_EF_SEARCH
from embedding_project.contracts.model_spec import ModelSpec, ModelType
from embedding_project.contracts.text import normal_form
from embedding_project.contracts.vectors import Vector, from_bytes
from embeddings_app.records.search_samples import LiveSearch, StoredText, newest_samples, spread_documents

_SENTENCE = re.compile(r"\s*(\S.{15,}?(?:[.!?](?=\s)|[\u3002\uff01\uff1f]|\n|\Z))", re.DOTALL)
"""Not less than 16 characters: `1.` and `Dr.` end no sentence."""
_MAX_SENTENCE = 200
"""Characters: a query is shorter than a paragraph."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleQuery:
    """One query to measure with. Exactly one of text, vector and document_key says what is looked for."""

    namespace_key: int
    text: str | None = None
    vector: Vector | None = None
    document_key: int | None = None
    """Its stored vector is the query: each version has its own."""
    top_k: int
    filter: Filter | None = None
    ef_search: int | None = DEFAULT_EF_SEARCH
    """None for the one that calibration found for the version."""
    synthetic: bool = False
    """Whether it was made from a document."""


def client_queries(spec: ModelSpec, limit: int, *, comparable: bool = False) -> list[SampleQuery]:
    """The newest different searches of clients that `spec` can answer; when `comparable`, other versions too."""
    found = newest_samples(spec.model_id, limit, vectors_of=None if comparable else spec.version_key)
    return [_client_query(search, spec.dimension) for search in found]


def all_queries(spec: ModelSpec, limit: int, *, comparable: bool) -> list[SampleQuery]:
    """The same, and documents of the version for what is missing to `limit`."""
    asked = client_queries(spec, limit, comparable=comparable)
    return [*asked, *islice(_document_queries(spec, limit - len(asked)), limit - len(asked))]


def _client_query(search: LiveSearch, dimension: int) -> SampleQuery:
    return SampleQuery(
        namespace_key=search.namespace_key,
        text=search.text or None,
        vector=None if search.vector is None else from_bytes(search.vector, dimension)[0],
        top_k=search.top_k,
        filter=from_wire(search.filter) if search.filter else None,
        ef_search=search.ef_search,
    )


def _document_queries(spec: ModelSpec, limit: int) -> Iterator[SampleQuery]:
    documents: Sequence[StoredText] = spread_documents(spec.version_key, limit) if limit > 0 else ()
    for document in documents:
        by_text = spec.type is not ModelType.EXTERNAL and bool(document.text)
        yield SampleQuery(
            namespace_key=document.namespace_key,
            text=first_sentence(document.text) if by_text else None,
            document_key=None if by_text else document.document_key,
            top_k=10,
            synthetic=True,
        )


def first_sentence(text: str) -> str:
    """The beginning of a text, up to the end of its first sentence or line, at most `_MAX_SENTENCE` characters."""
    found = _SENTENCE.match(text)
    sentence = found[1] if found else text
    if len(sentence) > _MAX_SENTENCE:
        sentence = sentence[:_MAX_SENTENCE].rpartition(" ")[0] or sentence[:_MAX_SENTENCE]
    return normal_form(sentence)
