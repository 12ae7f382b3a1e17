"""The models of the service as embedders of a pipeline."""

import asyncio
from dataclasses import replace
from typing import Any, Literal, Self

from haystack import Document, component, default_from_dict, default_to_dict
from haystack.utils import Secret

from embsearch.client import Client
from embsearch.haystack.store import API_KEY
from embsearch.text_steps import Ways
from embsearch.vectors import numbers_of


class _Embedder:
    """Without `url`, the address comes from EMBSEARCH_URL; without `model_id`, the default model embeds."""

    def __init__(
        self, *, url: str | None = None, api_key: Secret | None = API_KEY, model_id: str | None = None
    ) -> None:
        self.url, self.api_key, self.model_id = url, api_key, model_id
        self.client = Client(url, api_key=api_key.resolve_value() if api_key else None)

    def to_dict(self) -> dict[str, Any]:
        key = self.api_key.to_dict() if self.api_key else None
        told: dict[str, Any] = default_to_dict(self, url=self.url, api_key=key, model_id=self.model_id)
        return told

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        parameters = dict(data["init_parameters"])
        if isinstance(parameters.get("api_key"), dict):
            parameters["api_key"] = Secret.from_dict(parameters["api_key"])
        made: Self = default_from_dict(cls, {**data, "init_parameters": parameters})
        return made

    def _ways(self, kind: Literal["document", "query"]) -> Ways:
        return {"input_type": kind, **({} if self.model_id is None else Ways(model_id=self.model_id))}


@component
class EmbSearchTextEmbedder(_Embedder):
    """The vector of a query."""

    @component.output_types(embedding=list[float])
    def run(self, text: str) -> dict[str, list[float]]:
        return self._run(text)

    @component.output_types(embedding=list[float])
    async def run_async(self, text: str) -> dict[str, list[float]]:
        return await asyncio.to_thread(self._run, text)

    def _run(self, text: str) -> dict[str, list[float]]:
        if not isinstance(text, str):
            raise TypeError("a text is embedded; for documents there is EmbSearchDocumentEmbedder")
        return {"embedding": numbers_of(self.client.embed(text, **self._ways("query")))}


@component
class EmbSearchDocumentEmbedder(_Embedder):
    """Documents with their vectors."""

    @component.output_types(documents=list[Document])
    def run(self, documents: list[Document]) -> dict[str, list[Document]]:
        return self._run(documents)

    @component.output_types(documents=list[Document])
    async def run_async(self, documents: list[Document]) -> dict[str, list[Document]]:
        return await asyncio.to_thread(self._run, documents)

    def _run(self, documents: list[Document]) -> dict[str, list[Document]]:
        rows = self.client.embed([one.content or "" for one in documents], **self._ways("document"))
        return {
            "documents": [replace(one, embedding=numbers_of(row)) for one, row in zip(documents, rows, strict=True)]
        }
