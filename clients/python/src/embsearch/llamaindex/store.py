"""A namespace of the service as LlamaIndex's vector store."""

import asyncio
from collections.abc import Sequence
from typing import Any

from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.schema import BaseNode
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
    VectorStoreQueryResult,
)

from embsearch.client import Client
from embsearch.errors import Conflict
from embsearch.filters import F
from embsearch.llamaindex.filters import among, service_filter
from embsearch.llamaindex.shapes import NODE_ID, REF_DOC_ID, document, ids_of, node
from embsearch.namespace import Namespace
from embsearch.search_request import SearchOptions

_SHOWN = ("metadata", "text")
_USUAL_MMR = 0.5


class EmbSearchVectorStore(BasePydanticVectorStore):
    """Asynchronous methods run the others in threads. Queries take what `Namespace.search` takes beside what
    LlamaIndex passes: `min_score`, `exact` and so on, as `vector_store_kwargs` of a retriever."""

    stores_text: bool = True
    _client: Client = PrivateAttr()
    _space: Namespace = PrivateAttr()
    _embeds_here: bool = PrivateAttr()
    _model_id: str | None = PrivateAttr()
    _wait: str = PrivateAttr()

    def __init__(
        self,
        namespace: str,
        *,
        client: Client | None = None,
        model_id: str | None = None,
        embeds_here: bool = False,
        create: bool = True,
        wait: str = "searchable",
    ) -> None:
        """The service embeds the texts of nodes and queries, by `model_id`, unless `embeds_here`: then LlamaIndex does,
        and `model_id` names the external model of the service that takes its vectors. `create`: make the namespace if
        there is none, for which a key needs the scope `write`. `wait`: how far a write must have come before it
        returns."""
        super().__init__(stores_text=True, is_embedding_query=embeds_here)
        self._client, self._model_id = client or Client(), model_id
        self._embeds_here, self._wait = embeds_here, wait
        self._space = self._client.namespace(namespace)
        if create:
            self._create(namespace)

    @classmethod
    def class_name(cls) -> str:
        return "EmbSearchVectorStore"

    @property
    def client(self) -> Client:
        return self._client

    def add(self, nodes: Sequence[BaseNode], **_: Any) -> list[str]:
        """A node replaces the one with its id. Raises the error of the first node that the service refuses; those
        without a fault are written."""
        pages = [document(one, self._embeds_here) for one in nodes]
        if not pages:
            return []
        return ids_of(self._space.upsert(pages, wait=self._wait, model_id=self._model_id), pages)

    def delete(self, ref_doc_id: str, **_: Any) -> None:
        """The nodes of one document."""
        self._space.delete(F[REF_DOC_ID] == ref_doc_id)

    def delete_nodes(self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None, **_: Any) -> None:
        """By ids, by a filter, or those of the ids that pass."""
        chosen = service_filter(filters)
        if chosen is None and node_ids is None:
            raise ValueError("name nodes or a filter; clear() deletes all nodes")
        if chosen is None:
            self._space.delete(node_ids or [])
        else:
            self._space.delete(chosen if node_ids is None else chosen & among(F[NODE_ID], node_ids))

    def clear(self) -> None:
        self._space.clear()

    def get_nodes(self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None) -> list[BaseNode]:
        """By ids, in their order; by a filter; or all of them, in the order of their ids."""
        if node_ids is not None and service_filter(filters) is None:
            return [node(one) for one in self._space.get(node_ids, include=_SHOWN)]
        return [node(one) for one in self._space.scan(service_filter(filters, node_ids), include=_SHOWN)]

    def query(self, query: VectorStoreQuery, **how: Any) -> VectorStoreQueryResult:
        """Similarities are cosine similarities. Modes: default and mmr."""
        text, asked = self._asked(query, how.pop("mmr_threshold", query.mmr_threshold))
        hits = self._space.search(text, **{**asked, **how})
        return VectorStoreQueryResult(
            nodes=[node(hit) for hit in hits],
            similarities=[hit.score for hit in hits],
            ids=[hit.id for hit in hits],
        )

    async def async_add(self, nodes: Sequence[BaseNode], **_: Any) -> list[str]:
        return await asyncio.to_thread(self.add, nodes)

    async def adelete(self, ref_doc_id: str, **_: Any) -> None:
        await asyncio.to_thread(self.delete, ref_doc_id)

    async def adelete_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None, **_: Any
    ) -> None:
        await asyncio.to_thread(self.delete_nodes, node_ids, filters)

    async def aclear(self) -> None:
        await asyncio.to_thread(self.clear)

    async def aget_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None
    ) -> list[BaseNode]:
        return await asyncio.to_thread(self.get_nodes, node_ids, filters)

    async def aquery(self, query: VectorStoreQuery, **how: Any) -> VectorStoreQueryResult:
        return await asyncio.to_thread(self.query, query, **how)

    def _asked(self, query: VectorStoreQuery, mmr: float | None) -> tuple[str | None, SearchOptions]:
        """The text, unless it is searched by a vector, and what else. Raises ValueError for other modes."""
        asked: SearchOptions = {"top_k": query.similarity_top_k, "include": ("metadata", "text")}
        if (chosen := service_filter(query.filters, query.node_ids or None, query.doc_ids or None)) is not None:
            asked["filter"] = chosen
        if query.mode == VectorStoreQueryMode.MMR:
            asked["mmr"] = _USUAL_MMR if mmr is None else mmr
        elif query.mode != VectorStoreQueryMode.DEFAULT:
            raise ValueError(f"the store has no mode {query.mode.value!r}, only default and mmr")
        if not self._embeds_here and query.query_str:
            return query.query_str, asked
        if query.query_embedding is None:
            raise ValueError("a query needs its embedding, because the service embeds nothing here")
        asked["vector"] = query.query_embedding
        return None, asked

    def _create(self, namespace: str) -> None:
        """Else a query before the first write would find no namespace."""
        try:
            self._client.namespaces.create(namespace, model_id=self._model_id)
        except Conflict as error:
            # Who names no model takes the namespace as it is.
            if error.code != "namespace_exists" or self._model_id is not None:
                raise
