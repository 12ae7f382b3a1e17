"""The models of the service as LlamaIndex's embeddings."""

from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.bridge.pydantic import PrivateAttr

from embsearch.async_client import AsyncClient
from embsearch.client import Client
from embsearch.splitting import MOST_ITEMS
from embsearch.text_steps import Ways
from embsearch.vectors import numbers_of


class EmbSearchEmbedding(BaseEmbedding):
    """Without a client, address and key come from EMBSEARCH_URL and EMBSEARCH_API_KEY; without a model, the default
    model embeds. Asynchronous methods send by `async_client`; without one they block."""

    _client: Client = PrivateAttr()
    _async_client: AsyncClient | None = PrivateAttr()
    _texts: Ways = PrivateAttr()
    _query: Ways = PrivateAttr()

    def __init__(
        self,
        client: Client | None = None,
        *,
        async_client: AsyncClient | None = None,
        model_id: str | None = None,
        embed_batch_size: int = MOST_ITEMS,
        **options: Any,
    ) -> None:
        super().__init__(model_name=model_id or "default", embed_batch_size=embed_batch_size, **options)
        self._client, self._async_client = client or Client(), async_client
        model: Ways = {} if model_id is None else {"model_id": model_id}
        self._texts, self._query = {"input_type": "document", **model}, {"input_type": "query", **model}

    @classmethod
    def class_name(cls) -> str:
        return "EmbSearchEmbedding"

    def _get_query_embedding(self, query: str) -> list[float]:
        return numbers_of(self._client.embed(query, **self._query))

    def _get_text_embedding(self, text: str) -> list[float]:
        return numbers_of(self._client.embed(text, **self._texts))

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return [numbers_of(row) for row in self._client.embed(texts, **self._texts)]

    async def _aget_query_embedding(self, query: str) -> list[float]:
        if self._async_client is None:
            return self._get_query_embedding(query)
        return numbers_of(await self._async_client.embed(query, **self._query))

    async def _aget_text_embedding(self, text: str) -> list[float]:
        return (await self._aget_text_embeddings([text]))[0]

    async def _aget_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        if self._async_client is None:
            return self._get_text_embeddings(texts)
        return [numbers_of(row) for row in await self._async_client.embed(texts, **self._texts)]
