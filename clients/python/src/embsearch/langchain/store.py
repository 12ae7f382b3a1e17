"""A namespace of the service as LangChain's VectorStore."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, Self
from uuid import uuid4

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore

from embsearch import documents as service
from embsearch.answers import Hit
from embsearch.client import Client
from embsearch.errors import Conflict
from embsearch.filters import FilterLike
from embsearch.langchain.embeddings import EmbSearchEmbeddings

SHOWN: tuple[Literal["metadata", "text"], ...] = ("metadata", "text")


class EmbSearchVectorStore(VectorStore):
    """Beside `k`, searches take what `Namespace.search` takes: `filter`, `min_score`, `exact` and so on. The
    asynchronous methods are LangChain's own, which run these in threads."""

    def __init__(
        self,
        namespace: str,
        embedding: Embeddings | None = None,
        *,
        client: Client | None = None,
        model_id: str | None = None,
        create: bool = True,
        wait: str | None = "searchable",
    ) -> None:
        """Without `embedding`, or with EmbSearchEmbeddings, the service embeds, by `model_id`. Any other `embedding`
        runs here, and `model_id` names the external model of the service that takes its vectors. `create`: make the
        namespace if there is none, for which a key needs the scope `write`. `wait`: how far a write must have come
        before it returns."""
        own = embedding if isinstance(embedding, EmbSearchEmbeddings) else None
        if own is not None and model_id not in (None, own.model_id):
            raise ValueError(f"the namespace cannot have the model {model_id!r} and embeddings of {own.model_id!r}")
        self._embedding, self._embeds_here = embedding, embedding if own is None else None
        client = client or (own.client if own else Client())
        model_id = own.model_id if own else model_id
        if create:
            _create(client, namespace, model_id)
        self._namespace, self._model_id, self._wait = client.namespace(namespace), model_id, wait

    @property
    def embeddings(self) -> Embeddings | None:
        return self._embedding

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Embeddings | None = None,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        **how: Any,
    ) -> Self:
        """`how` is what the class takes; `namespace` is needed."""
        store = cls(embedding=embedding, **how)
        store.add_texts(texts, metadatas, ids=ids)
        return store

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        batch_size: int | None = None,  # noqa: ARG002
        **unknown: Any,
    ) -> list[str]:
        """A document replaces the one with its id; one without an id gets one. Raises the error of the first document
        that the service refuses; those without a fault are written. `batch_size` is LangChain's; the client chooses the
        size of requests itself."""
        _refuse("add_texts", unknown)
        pages = list(texts)
        known = [None] * len(pages) if ids is None else ids
        fields = [{}] * len(pages) if metadatas is None else metadatas
        if not len(pages) == len(known) == len(fields):
            raise ValueError(f"{len(pages)} texts cannot have {len(fields)} metadatas and {len(known)} ids")
        names = [name or str(uuid4()) for name in known]
        vectors = self._embeds_here.embed_documents(pages) if self._embeds_here else [None] * len(pages)
        written = self._namespace.upsert(
            map(service.Document, names, pages, fields, vectors), wait=self._wait, model_id=self._model_id
        )
        for name, one in zip(names, written, strict=True):
            if one.error is not None:
                one.error.add_note(f"The document is {name!r}. Documents without a fault were written.")
                raise one.error
        return names

    def delete(self, ids: list[str] | None = None, *, filter: FilterLike = None, **unknown: Any) -> bool:  # noqa: A002
        """Delete by ids or by a filter; with neither, every document, as LangChain has it."""
        _refuse("delete", unknown)
        if ids is not None and filter is not None:
            raise ValueError("delete takes ids or a filter, not both")
        if ids is not None:
            self._namespace.delete(ids)
        elif filter is not None:
            self._namespace.delete(filter)
        else:
            self._namespace.clear()
        return True

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """Those that there are, in the order of the ids."""
        return [_document(one) for one in self._namespace.get(ids, include=SHOWN)]

    def similarity_search(self, query: str, k: int = 4, **how: Any) -> list[Document]:
        return [_document(hit) for hit in self._hits(query, k, how)]

    def similarity_search_with_score(self, query: str, k: int = 4, **how: Any) -> list[tuple[Document, float]]:
        """The score is cosine similarity, -1 to 1."""
        return [(_document(hit), hit.score) for hit in self._hits(query, k, how)]

    def similarity_search_by_vector(self, embedding: list[float], k: int = 4, **how: Any) -> list[Document]:
        found = self._namespace.search(vector=embedding, top_k=k, include=SHOWN, **how)
        return [_document(hit) for hit in found]

    def max_marginal_relevance_search(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,  # noqa: ARG002
        lambda_mult: float = 0.5,
        **how: Any,
    ) -> list[Document]:
        """Hits that differ from each other. Whatever `fetch_k` is, the service chooses from 4 k candidates, at least
        50."""
        return self.similarity_search(query, k, mmr=lambda_mult, **how)

    def max_marginal_relevance_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        fetch_k: int = 20,  # noqa: ARG002
        lambda_mult: float = 0.5,
        **how: Any,
    ) -> list[Document]:
        return self.similarity_search_by_vector(embedding, k, mmr=lambda_mult, **how)

    def _hits(self, query: str, k: int, how: Mapping[str, Any]) -> Iterable[Hit]:
        if self._embeds_here is None:
            return self._namespace.search(query, top_k=k, include=SHOWN, **how)
        return self._namespace.search(vector=self._embeds_here.embed_query(query), top_k=k, include=SHOWN, **how)

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        # LangChain's relevance is 0 to 1. Texts that point away from each other are of no more use than unrelated ones.
        return lambda score: min(max(score, 0.0), 1.0)


def _create(client: Client, namespace: str, model_id: str | None) -> None:
    """Else a search before the first write would find no namespace."""
    try:
        client.namespaces.create(namespace, model_id=model_id)
    except Conflict as error:
        # Who names no model takes the namespace as it is.
        if error.code != "namespace_exists" or model_id is not None:
            raise


def _refuse(method: str, unknown: Mapping[str, Any]) -> None:
    """A misspelt filter of a delete must not delete everything."""
    if unknown:
        raise TypeError(f"{method} does not take {', '.join(sorted(unknown))}")


def _document(found: Hit | service.StoredDocument) -> Document:
    """Where the service keeps no text, the page is empty."""
    return Document(id=found.id, page_content=found.text or "", metadata=dict(found.metadata or {}))
