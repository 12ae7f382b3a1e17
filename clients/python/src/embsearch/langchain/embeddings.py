"""The models of the service as LangChain's Embeddings."""

from typing import Any

from langchain_core.embeddings import Embeddings

from embsearch.async_client import AsyncClient
from embsearch.client import Client
from embsearch.text_steps import Ways


class EmbSearchEmbeddings(Embeddings):
    """Without a client, address and key come from EMBSEARCH_URL and EMBSEARCH_API_KEY; without a model, the default
    model of the service embeds. The asynchronous methods send by `async_client`; without one they run the others in
    threads."""

    def __init__(
        self,
        client: Client | None = None,
        *,
        async_client: AsyncClient | None = None,
        model_id: str | None = None,
    ) -> None:
        self.client, self.async_client = client or Client(), async_client
        self.model_id = model_id
        model: Ways = {} if model_id is None else {"model_id": model_id}
        self._documents: Ways = {"input_type": "document", **model}
        self._query: Ways = {"input_type": "query", **model}

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [_numbers(row) for row in self.client.embed(texts, **self._documents)]

    def embed_query(self, text: str) -> list[float]:
        return _numbers(self.client.embed(text, **self._query))

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        if self.async_client is None:
            return await super().aembed_documents(texts)
        return [_numbers(row) for row in await self.async_client.embed(texts, **self._documents)]

    async def aembed_query(self, text: str) -> list[float]:
        if self.async_client is None:
            return await super().aembed_query(text)
        return _numbers(await self.async_client.embed(text, **self._query))


def _numbers(vector: Any) -> list[float]:
    """LangChain wants a list, also where numpy is installed."""
    numbers: list[float] = vector.tolist() if hasattr(vector, "tolist") else vector
    return numbers
