"""A namespace of the service as Haystack's document store."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, Self, TypeVar

from haystack import Document, default_from_dict, default_to_dict
from haystack.document_stores.errors import DuplicateDocumentError
from haystack.document_stores.types import DuplicatePolicy
from haystack.errors import FilterError
from haystack.utils import Secret

from embsearch import documents as service
from embsearch.answers import Hits
from embsearch.client import Client
from embsearch.errors import Conflict, Forbidden, InvalidRequest
from embsearch.filters import Filter
from embsearch.haystack.filters import metadata_field, service_filter
from embsearch.haystack.shapes import document, exact, to_write, written
from embsearch.namespace import Namespace
from embsearch.search_request import SearchOptions
from embsearch.splitting import by_number

T = TypeVar("T")
API_KEY = Secret.from_env_var("EMBSEARCH_API_KEY", strict=False)
_MOST_VALUES = 1000
_MOST_TRIES = 5
"""Of a write of new documents while others write and delete the same."""


class EmbSearchDocumentStore:
    """Methods that end in `_async` run the others in threads."""

    def __init__(
        self,
        namespace: str = "default",
        *,
        url: str | None = None,
        api_key: Secret | None = API_KEY,
        model_id: str | None = None,
        embeds_here: bool = False,
        return_embedding: bool = False,
        wait: str = "searchable",
    ) -> None:
        """Without `url`, the address comes from EMBSEARCH_URL. The service embeds the documents by `model_id`, unless
        `embeds_here`: then an embedder of the pipeline does, and `model_id` names the external model of the service
        that takes its vectors. `wait`: how far a write must have come before it returns."""
        self.namespace, self.url, self.api_key, self.model_id = namespace, url, api_key, model_id
        self.embeds_here, self.return_embedding, self.wait = embeds_here, return_embedding, wait
        self.client = Client(url, api_key=api_key.resolve_value() if api_key else None)
        self._space = self.client.namespace(namespace)
        self._made = False

    def to_dict(self) -> dict[str, Any]:
        told: dict[str, Any] = default_to_dict(
            self,
            namespace=self.namespace,
            url=self.url,
            api_key=self.api_key.to_dict() if self.api_key else None,
            model_id=self.model_id,
            embeds_here=self.embeds_here,
            return_embedding=self.return_embedding,
            wait=self.wait,
        )
        return told

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        parameters = dict(data["init_parameters"])
        if isinstance(parameters.get("api_key"), Mapping):
            parameters["api_key"] = Secret.from_dict(dict(parameters["api_key"]))
        made: Self = default_from_dict(cls, {**data, "init_parameters": parameters})
        return made

    def count_documents(self) -> int:
        counted = self._ready().count()
        return exact(counted.value, counted.is_exact)

    def filter_documents(self, filters: dict[str, Any] | None = None) -> list[Document]:
        """In the order of their ids."""
        return [document(one) for one in self._asked(lambda chosen: list(self._scan(chosen)), filters)]

    def write_documents(self, documents: list[Document], policy: DuplicatePolicy = DuplicatePolicy.NONE) -> int:
        """NONE is FAIL. Documents without a fault are written also where another one fails."""
        pages = to_write(documents, policy, self.embeds_here)
        if policy == DuplicatePolicy.OVERWRITE:
            return self._written(pages, policy)
        return sum(self._written_new(part, policy) for part in by_number(pages))

    def _written_new(self, pages: list[service.Document], policy: DuplicatePolicy) -> int:
        """Those that are not there yet. Raises DuplicateDocumentError."""
        for tries_left in reversed(range(_MOST_TRIES)):
            there = {one.id for one in self._ready().get([page.id for page in pages], include=())}
            if there and policy != DuplicatePolicy.SKIP:
                raise DuplicateDocumentError(f"there is a document {min(there)!r} already")
            try:
                return self._written([page for page in pages if page.id not in there], policy)
            except (Conflict, InvalidRequest) as error:
                # Another client has written all of them meanwhile. It may delete them again, and so on without end.
                if error.code != "revision_conflict" or not tries_left:
                    raise
        raise AssertionError("the last try returns or raises")

    def _written(self, pages: list[service.Document], policy: DuplicatePolicy) -> int:
        if not pages:
            return 0
        return written(self._ready().upsert(pages, wait=self.wait, model_id=self.model_id), pages, policy)

    def delete_documents(self, document_ids: list[str]) -> None:
        if document_ids:
            self._ready().delete(document_ids)

    def delete_all_documents(self, recreate_index: bool = False) -> None:
        """`recreate_index`: drop the namespace and make it again, which frees more, and takes a second."""
        if recreate_index:
            self.client.namespaces.delete(self.namespace)
            self._made = False
        self._ready().clear()

    def delete_by_filter(self, filters: dict[str, Any]) -> int:
        """How many were deleted. Raises FilterError for an empty filter, which would delete everything."""
        return self._asked(lambda chosen: self._ready().delete(_needed(chosen)), filters)

    def update_by_filter(self, filters: dict[str, Any], meta: dict[str, Any]) -> int:
        """Set these fields of all documents that pass; how many passed."""
        return self._asked(
            lambda chosen: self._ready().update(_needed(chosen), meta, wait="searchable").matched, filters
        )

    def count_documents_by_filter(self, filters: dict[str, Any] | None) -> int:
        counted = self._asked(lambda chosen: self._ready().count(chosen), filters)
        return exact(counted.value, counted.is_exact)

    def count_unique_metadata_by_filter(
        self, filters: dict[str, Any] | None, metadata_fields: list[str]
    ) -> dict[str, int]:
        """How many values each field has, a thousand at most."""
        return {name: self._number_of_values(name, filters) for name in map(metadata_field, metadata_fields)}

    def _number_of_values(self, field: str, filters: dict[str, Any] | None) -> int:
        return len(self._asked(lambda chosen: self._ready().facet(field, chosen, limit=_MOST_VALUES), filters).values)

    def found(self, text: str | None, filters: dict[str, Any] | None, how: SearchOptions) -> list[Document]:
        """The nearest documents, for the retrievers."""

        def search(chosen: Filter | None) -> Hits:
            asked: SearchOptions = {**how, "include": self._shown(), "filter": chosen}
            return self._ready().search(text, **asked)

        return [document(hit) for hit in self._asked(search, filters)]

    def close(self) -> None:
        self.client.close()

    async def count_documents_async(self) -> int:
        return await asyncio.to_thread(self.count_documents)

    async def filter_documents_async(self, filters: dict[str, Any] | None = None) -> list[Document]:
        return await asyncio.to_thread(self.filter_documents, filters)

    async def write_documents_async(
        self, documents: list[Document], policy: DuplicatePolicy = DuplicatePolicy.NONE
    ) -> int:
        return await asyncio.to_thread(self.write_documents, documents, policy)

    async def delete_documents_async(self, document_ids: list[str]) -> None:
        await asyncio.to_thread(self.delete_documents, document_ids)

    async def delete_all_documents_async(self, recreate_index: bool = False) -> None:
        await asyncio.to_thread(self.delete_all_documents, recreate_index)

    async def delete_by_filter_async(self, filters: dict[str, Any]) -> int:
        return await asyncio.to_thread(self.delete_by_filter, filters)

    async def update_by_filter_async(self, filters: dict[str, Any], meta: dict[str, Any]) -> int:
        return await asyncio.to_thread(self.update_by_filter, filters, meta)

    async def count_documents_by_filter_async(self, filters: dict[str, Any] | None) -> int:
        return await asyncio.to_thread(self.count_documents_by_filter, filters)

    async def count_unique_metadata_by_filter_async(
        self, filters: dict[str, Any] | None, metadata_fields: list[str]
    ) -> dict[str, int]:
        return await asyncio.to_thread(self.count_unique_metadata_by_filter, filters, metadata_fields)

    def _ready(self) -> Namespace:
        """Else reads before the first write would find no namespace. A key that only searches cannot make one."""
        if not self._made:
            try:
                self.client.namespaces.create(self.namespace, model_id=self.model_id)
            except Forbidden:
                pass
            except Conflict as error:
                # Who names no model takes the namespace as it is.
                if error.code != "namespace_exists" or self.model_id is not None:
                    raise
            self._made = True
        return self._space

    def _scan(self, chosen: Filter | None) -> Iterator[service.StoredDocument]:
        return self._ready().scan(chosen, include=self._shown())

    def _shown(self) -> tuple[Literal["metadata", "text", "vector"], ...]:
        return ("metadata", "text", "vector") if self.return_embedding else ("metadata", "text")

    def _asked(self, ask: Callable[[Filter | None], T], filters: Mapping[str, Any] | None) -> T:
        """Raises FilterError for a filter that cannot be meant, also where only the service knows."""
        try:
            return ask(service_filter(filters))
        except InvalidRequest as error:
            if error.code != "invalid_filter":
                raise
            raise FilterError(str(error)) from error


def _needed(chosen: Filter | None) -> Filter:
    if chosen is None:
        raise FilterError("a filter is needed; all documents are deleted by delete_all_documents()")
    return chosen
