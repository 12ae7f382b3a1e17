"""The client for asyncio: the same names as Client, awaited."""

from collections.abc import Iterable, Sequence
from operator import itemgetter
from types import TracebackType
from typing import Literal, Self, TypeVar, Unpack

import httpx

from embsearch import text_steps
from embsearch.async_catalog import AsyncModels, AsyncNamespaces
from embsearch.async_namespace import AsyncNamespace
from embsearch.async_runner import AsyncRunner, as_async
from embsearch.client import DEADLINE_SECONDS, PARALLEL, RETRIES, TIMEOUT_SECONDS
from embsearch.connection import connection_to
from embsearch.exchange import Patience, Steps
from embsearch.model_answers import EmbedResult, Health, RankedText, TokenizedText
from embsearch.namespace_steps import NamespaceSteps
from embsearch.splitting import by_size, text_bytes
from embsearch.text_steps import Ways
from embsearch.tokens import Tokens
from embsearch.vectors import Vector, Vectors, joined

T = TypeVar("T")


class AsyncClient:
    """`timeout` is that of one try, `deadline` that of a request with its retries, `parallel` the number of requests
    that one call sends at a time. `transport`: see embsearch.testing."""

    def __init__(
        self,
        url: str | None = None,
        *,
        api_key: str | None = None,
        timeout: float = TIMEOUT_SECONDS,
        retries: int = RETRIES,
        deadline: float = DEADLINE_SECONDS,
        parallel: int = PARALLEL,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._runner = AsyncRunner(connection_to(url, api_key), transport)
        self._patience = Patience(timeout_seconds=timeout, retries=retries, deadline_seconds=deadline)
        self._tokens, self._parallel = Tokens(), parallel
        self.namespaces = AsyncNamespaces(self._runner, self._patience)
        self.models = AsyncModels(self._runner, self._patience)

    def namespace(self, name: str) -> AsyncNamespace:
        """A handle; this sends no request."""
        return AsyncNamespace(self._runner, NamespaceSteps(name, self._patience, self._tokens), self._parallel)

    async def embed(self, texts: str | Iterable[str], **how: Unpack[Ways]) -> Vector | Vectors:
        """The vector of one text, or a row for each of any number of texts. Raises the error of the first text that
        cannot be embedded."""
        if isinstance(texts, str):
            return (await self._runner.run(text_steps.vectors([texts], 0, how, self._patience)))[0]
        parts = text_steps.numbered(by_size(texts, text_bytes))
        work = (text_steps.vectors(part, first, how, self._patience) for first, part in parts)
        return joined(await self._in_order(work))

    async def embed_many(
        self, texts: Iterable[str], *, on_error: Literal["raise", "skip"] = "raise", **how: Unpack[Ways]
    ) -> EmbedResult:
        """The vectors with what there is to say about each text. `skip`: a text that cannot be embedded has a row of
        NaN and its error."""
        parts = by_size(texts, text_bytes)
        work = (text_steps.outcomes(part, how, self._patience) for part in parts)
        result = text_steps.result_of(await self._in_order(work))
        if on_error == "raise" and (error := text_steps.first_error(result)):
            raise error
        return result

    async def tokenize(
        self, texts: str | Iterable[str], *, model_id: str | None = None, add_special_tokens: bool | None = None
    ) -> tuple[TokenizedText, ...]:
        parts = by_size([texts] if isinstance(texts, str) else texts, text_bytes)
        work = (text_steps.tokenized(part, model_id, add_special_tokens, self._patience) for part in parts)
        return tuple(item for part in await self._in_order(work) for item in part)

    async def rerank(
        self, query: str, texts: Sequence[str], *, model: str | None = None, top_n: int | None = None
    ) -> tuple[RankedText, ...]:
        """Up to 256 texts by their relevance for the query, by a cross-encoder; without `model`, by the only one."""
        return await self._runner.run(text_steps.ranked(query, texts, model, top_n, self._patience))

    async def health(self) -> Health:
        """Whether the service can do all its work. A service that is not ready is no error."""
        return await self._runner.run(text_steps.health(self._patience))

    async def _in_order(self, work: Iterable[Steps[T]]) -> list[T]:
        done = [one async for one in self._runner.each(as_async(work), self._parallel)]
        return [result for _, result in sorted(done, key=itemgetter(0))]

    async def close(self) -> None:
        await self._runner.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
