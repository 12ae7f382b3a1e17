"""The handle of one namespace, for asyncio. See embsearch.namespace, which has the same names."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, Unpack, overload

from embsearch.answers import Count, Facet, Hits, NamespaceStatus, Updated, Written
from embsearch.async_runner import AsyncRunner
from embsearch.documents import Document, StoredDocument
from embsearch.filters import FilterLike
from embsearch.namespace import SCAN_PAGE, Writable
from embsearch.namespace_steps import NamespaceSteps, Progress, Target
from embsearch.search_request import SearchOptions, search_request
from embsearch.upload.load import Load, UploadOptions
from embsearch.upload.report import UploadReport


class AsyncNamespace:
    def __init__(self, runner: AsyncRunner, steps: NamespaceSteps, parallel: int) -> None:
        self._runner, self._steps, self._parallel = runner, steps, parallel

    @property
    def name(self) -> str:
        return self._steps.name

    @overload
    async def upsert(
        self,
        documents: Writable,
        *,
        wait: str | None = None,
        model_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Written: ...
    @overload
    async def upsert(
        self,
        documents: Iterable[Writable],
        *,
        wait: str | None = None,
        model_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> tuple[Written, ...]: ...
    async def upsert(
        self,
        documents: Writable | Iterable[Writable],
        *,
        wait: str | None = None,
        model_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Written | tuple[Written, ...]:
        """Write one document, or several; `wait`: accepted, indexed or searchable. A document with a fault is refused
        alone, and its result has the error; when all are, the first error is raised. For very many use `upload`. With
        an `idempotency_key` a second call with the same documents writes nothing, and gives the same results."""
        one = isinstance(documents, Document | Mapping)
        several: Sequence[Writable] = [documents] if isinstance(documents, Document | Mapping) else list(documents)
        written = await self._runner.run(
            self._steps.upsert(several, wait=wait, model_id=model_id, idempotency_key=idempotency_key)
        )
        return written[0] if one else written

    async def upload(self, source: Any, **how: Unpack[UploadOptions]) -> UploadReport:
        """Load many documents: from a path (.jsonl, .csv, .tsv, .parquet), a DataFrame, or an iterable, also an
        async one, of documents or of rows. Memory holds a few requests. When ids repeat, any of their rows may win,
        unless `parallel=1`."""
        load = Load(self._steps, source, how)
        try:
            work = (load.sending(batch) async for batch in load.batches_async())
            async for _, sent in self._runner.each(work, how.get("parallel", self._parallel)):
                load.done(sent)
            return load.finish()
        finally:
            load.close()

    async def search(
        self, text: str | None = None, *, read_your_writes: bool = True, **how: Unpack[SearchOptions]
    ) -> Hits:
        """The documents nearest in meaning to a text, to a `vector`, or to the documents that `like` names."""
        asked = search_request(text, how)
        return await self._runner.run(self._steps.search(asked, read_your_writes=read_your_writes))

    async def search_many(
        self, texts: Iterable[str], *, read_your_writes: bool = True, **how: Unpack[SearchOptions]
    ) -> list[Hits]:
        """A search for each text, 64 in one request, which costs much less than one by one. Raises the first error."""
        asked = [search_request(text, how) for text in texts]
        return await self._runner.run(self._steps.search_many(asked, read_your_writes=read_your_writes))

    @overload
    async def get(  # type: ignore[overload-overlap] # a str comes first
        self, ids: str, *, include: Iterable[str] | None = None
    ) -> StoredDocument | None: ...
    @overload
    async def get(self, ids: Iterable[str], *, include: Iterable[str] | None = None) -> list[StoredDocument]: ...
    async def get(
        self, ids: str | Iterable[str], *, include: Iterable[str] | None = None
    ) -> StoredDocument | list[StoredDocument] | None:
        """One document, or None; of several ids those that there are. `include`: metadata, text, vector."""
        found = await self._runner.run(self._steps.get([ids] if isinstance(ids, str) else ids, include))
        return (found[0] if found else None) if isinstance(ids, str) else found

    async def count(self, filter: FilterLike = None) -> Count:  # noqa: A002
        return await self._runner.run(self._steps.count(filter))

    async def facet(self, field: str, filter: FilterLike = None, *, limit: int | None = None) -> Facet:  # noqa: A002
        """The values of a metadata field and how many documents have each."""
        return await self._runner.run(self._steps.facet(field, filter, limit))

    async def scan(
        self,
        filter: FilterLike = None,  # noqa: A002
        *,
        include: Iterable[str] | None = None,
        order: str | None = None,
        page_size: int = SCAN_PAGE,
    ) -> AsyncIterator[StoredDocument]:
        """All documents, or those that pass, in the order of their ids; `order="-id"`: the last first. A page is asked
        for when the documents before it were taken."""
        shown = None if include is None else list(include)
        cursor: str | None = None
        while True:
            page = await self._runner.run(
                self._steps.page(filter, limit=page_size, order=order, cursor=cursor, include=shown)
            )
            for document in page.documents:
                yield document
            cursor = page.next
            if cursor is None:
                return

    async def update(
        self,
        target: Target,
        set: Mapping[str, Any] | None = None,  # noqa: A002
        *,
        unset: Iterable[str] = (),
        wait: str | None = None,
    ) -> Updated:
        """Change metadata of one id, of several, or of all documents that pass a filter. Nothing is embedded again."""
        return await self._runner.run(self._steps.update(target, set, unset, wait))

    async def delete(self, target: Target, *, dry_run: bool = False) -> int:
        """How many documents were deleted; with `dry_run`, how many would be. When the answer to a request was lost and
        it was sent again, what the lost one deleted is not counted."""
        return await self._runner.run(self._steps.delete(target, dry_run))

    async def clear(self) -> int:
        """Delete every document. The namespace and its model stay."""
        return await self._runner.run(self._steps.delete(None, dry_run=False))

    async def status(self) -> NamespaceStatus:
        return await self._runner.run(self._steps.status())

    async def fields(self) -> tuple[str, ...]:
        """The metadata fields of the documents."""
        return (await self.status()).fields

    async def wait(
        self, *, timeout: float = 600.0, every_seconds: float = 0.5, progress: Progress | None = None
    ) -> NamespaceStatus:
        """Until searches find every document that they can find. Raises NotReached."""
        return await self._runner.run(self._steps.wait(timeout, every_seconds, progress))

    def __repr__(self) -> str:
        return f"AsyncNamespace({self.name!r})"
