"""A namespace of the service as LangChain's VectorStore."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, Self

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.runnables.config import run_in_executor
from langchain_core.vectorstores import VectorStore

from embsearch.answers import Hit
from embsearch.async_client import AsyncClient
from embsearch.client import Client
from embsearch.errors import Conflict
from embsearch.filters import FilterLike
from embsearch.langchain.embeddings import EmbSearchEmbeddings
from embsearch.langchain.shapes import document, documents, ids_of, refuse, target_of, with_vectors

SHOWN: tuple[Literal["metadata", "text"], ...] = ("metadata", "text")


class EmbSearchVectorStore(VectorStore):
    """Beside `k`, searches take what `Namespace.search` takes: `filter`, `min_score`, `exact` and so on. The
    asynchronous methods send by `async_client`; without one they run the others in threads."""

    def __init__(
        self,
        namespace: str,
        embedding: Embeddings | None = None,
        *,
        client: Client | None = None,
        async_client: AsyncClient | None = None,
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
        async_client = async_client or (own.async_client if own else None)
        self._async_namespace = async_client.namespace(namespace) if async_client else None

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
        refuse("add_texts", unknown)
        pages = documents(texts, metadatas, ids)
        if self._embeds_here:
            pages = with_vectors(pages, self._embeds_here.embed_documents([page.text or "" for page in pages]))
        return ids_of(self._namespace.upsert(pages, wait=self._wait, model_id=self._model_id), pages)

    async def aadd_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        batch_size: int | None = None,
        **unknown: Any,
    ) -> list[str]:
        if self._async_namespace is None:
            how = {"ids": ids, "batch_size": batch_size, **unknown}
            return await run_in_executor(None, self.add_texts, texts, metadatas, **how)
        refuse("add_texts", unknown)
        pages = documents(texts, metadatas, ids)
        if self._embeds_here:
            pages = with_vectors(pages, await self._embeds_here.aembed_documents([page.text or "" for page in pages]))
        return ids_of(await self._async_namespace.upsert(pages, wait=self._wait, model_id=self._model_id), pages)

    def delete(self, ids: list[str] | None = None, *, filter: FilterLike = None, **unknown: Any) -> bool:  # noqa: A002
        """Delete by ids or by a filter; with neither, every document, as LangChain has it."""
        refuse("delete", unknown)
        target = target_of(ids, filter)
        if target is None:
            self._namespace.clear()
        else:
            self._namespace.delete(target)
        return True

    async def adelete(self, ids: list[str] | None = None, *, filter: FilterLike = None, **unknown: Any) -> bool:  # noqa: A002
        if self._async_namespace is None:
            return await run_in_executor(None, self.delete, ids, filter=filter, **unknown)
        refuse("delete", unknown)
        target = target_of(ids, filter)
        if target is None:
            await self._async_namespace.clear()
        else:
            await self._async_namespace.delete(target)
        return True

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """Those that there are, in the order of the ids."""
        return [document(one) for one in self._namespace.get(ids, include=SHOWN)]

    async def aget_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        if self._async_namespace is None:
            return await run_in_executor(None, self.get_by_ids, ids)
        return [document(one) for one in await self._async_namespace.get(ids, include=SHOWN)]

    def similarity_search(self, query: str, k: int = 4, **how: Any) -> list[Document]:
        return [document(hit) for hit in self._hits(query, k, how)]

    def similarity_search_with_score(self, query: str, k: int = 4, **how: Any) -> list[tuple[Document, float]]:
        """The score is cosine similarity, -1 to 1."""
        return [(document(hit), hit.score) for hit in self._hits(query, k, how)]

    def similarity_search_by_vector(self, embedding: list[float], k: int = 4, **how: Any) -> list[Document]:
        found = self._namespace.search(vector=embedding, top_k=k, include=SHOWN, **how)
        return [document(hit) for hit in found]

    async def asimilarity_search(self, query: str, k: int = 4, **how: Any) -> list[Document]:
        return [one for one, _ in await self.asimilarity_search_with_score(query, k, **how)]

    async def asimilarity_search_with_score(self, query: str, k: int = 4, **how: Any) -> list[tuple[Document, float]]:
        if self._async_namespace is None:
            return await run_in_executor(None, self.similarity_search_with_score, query, k, **how)
        if self._embeds_here is None:
            found = await self._async_namespace.search(query, top_k=k, include=SHOWN, **how)
        else:
            vector = await self._embeds_here.aembed_query(query)
            found = await self._async_namespace.search(vector=vector, top_k=k, include=SHOWN, **how)
        return [(document(hit), hit.score) for hit in found]

    async def asimilarity_search_by_vector(self, embedding: list[float], k: int = 4, **how: Any) -> list[Document]:
        if self._async_namespace is None:
            return await run_in_executor(None, self.similarity_search_by_vector, embedding, k, **how)
        found = await self._async_namespace.search(vector=embedding, top_k=k, include=SHOWN, **how)
        return [document(hit) for hit in found]

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

    async def amax_marginal_relevance_search(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,  # noqa: ARG002
        lambda_mult: float = 0.5,
        **how: Any,
    ) -> list[Document]:
        return await self.asimilarity_search(query, k, mmr=lambda_mult, **how)

    async def amax_marginal_relevance_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        fetch_k: int = 20,  # noqa: ARG002
        lambda_mult: float = 0.5,
        **how: Any,
    ) -> list[Document]:
        return await self.asimilarity_search_by_vector(embedding, k, mmr=lambda_mult, **how)

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
