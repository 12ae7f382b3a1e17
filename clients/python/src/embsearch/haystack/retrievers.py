"""The searches of the service as components of a pipeline."""

import asyncio
from typing import Any, Self

from haystack import Document, component, default_from_dict, default_to_dict

from embsearch.haystack.store import EmbSearchDocumentStore
from embsearch.search_request import SearchOptions

DEFAULT_TOP_K = 10


class _Retriever:
    """`search` is what else a search of the service takes: min_score, mmr, exact and so on."""

    def __init__(
        self,
        document_store: EmbSearchDocumentStore,
        *,
        filters: dict[str, Any] | None = None,
        top_k: int = DEFAULT_TOP_K,
        search: dict[str, Any] | None = None,
    ) -> None:
        self.document_store, self.filters, self.top_k, self.search = document_store, filters, top_k, search

    def to_dict(self) -> dict[str, Any]:
        told: dict[str, Any] = default_to_dict(
            self,
            document_store=self.document_store.to_dict(),
            filters=self.filters,
            top_k=self.top_k,
            search=self.search,
        )
        return told

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        parameters = dict(data["init_parameters"])
        parameters["document_store"] = EmbSearchDocumentStore.from_dict(parameters["document_store"])
        made: Self = default_from_dict(cls, {**data, "init_parameters": parameters})
        return made

    def _found(
        self, asked: SearchOptions, text: str | None, filters: dict[str, Any] | None, top_k: int | None
    ) -> dict[str, list[Document]]:
        """Filters of a call stand instead of those of the component."""
        how: SearchOptions = {"top_k": top_k or self.top_k, **asked}
        how.update(self.search or {})  # type: ignore[typeddict-item] # the service knows what it takes
        return {"documents": self.document_store.found(text, self.filters if filters is None else filters, how)}


@component
class EmbSearchTextRetriever(_Retriever):
    """For a text, which the service embeds."""

    @component.output_types(documents=list[Document])
    def run(
        self, query: str, filters: dict[str, Any] | None = None, top_k: int | None = None
    ) -> dict[str, list[Document]]:
        return self._found({}, query, filters, top_k)

    @component.output_types(documents=list[Document])
    async def run_async(
        self, query: str, filters: dict[str, Any] | None = None, top_k: int | None = None
    ) -> dict[str, list[Document]]:
        return await asyncio.to_thread(self._found, {}, query, filters, top_k)


@component
class EmbSearchEmbeddingRetriever(_Retriever):
    """For a vector, of an embedder of the pipeline."""

    @component.output_types(documents=list[Document])
    def run(
        self, query_embedding: list[float], filters: dict[str, Any] | None = None, top_k: int | None = None
    ) -> dict[str, list[Document]]:
        return self._found({"vector": query_embedding}, None, filters, top_k)

    @component.output_types(documents=list[Document])
    async def run_async(
        self, query_embedding: list[float], filters: dict[str, Any] | None = None, top_k: int | None = None
    ) -> dict[str, list[Document]]:
        return await asyncio.to_thread(self._found, {"vector": query_embedding}, None, filters, top_k)
