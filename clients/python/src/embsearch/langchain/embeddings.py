"""The models of the service as LangChain's Embeddings."""

from typing import Any

from langchain_core.embeddings import Embeddings

from embsearch.client import Client
from embsearch.text_steps import Ways


class EmbSearchEmbeddings(Embeddings):
    """Without a client, address and key come from EMBSEARCH_URL and EMBSEARCH_API_KEY; without a model, the default
    model of the service embeds. The asynchronous methods are LangChain's own, which run these in threads."""

    def __init__(self, client: Client | None = None, *, model_id: str | None = None) -> None:
        self.client = client or Client()
        self.model_id = model_id
        model: Ways = {} if model_id is None else {"model_id": model_id}
        self._documents: Ways = {"input_type": "document", **model}
        self._query: Ways = {"input_type": "query", **model}

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [_numbers(row) for row in self.client.embed(texts, **self._documents)]

    def embed_query(self, text: str) -> list[float]:
        return _numbers(self.client.embed(text, **self._query))


def _numbers(vector: Any) -> list[float]:
    """LangChain wants a list, also where numpy is installed."""
    numbers: list[float] = vector.tolist() if hasattr(vector, "tolist") else vector
    return numbers
