"""The client for code without asyncio. Threads may share it."""

from collections.abc import Iterable, Sequence
from operator import itemgetter
from types import TracebackType
from typing import Literal, Self, TypeVar, Unpack

import httpx

from embsearch import text_steps
from embsearch.catalog import Models, Namespaces
from embsearch.connection import connection_to
from embsearch.exchange import Patience, Steps
from embsearch.model_answers import EmbedResult, Health, RankedText, TokenizedText
from embsearch.namespace import Namespace
from embsearch.namespace_steps import NamespaceSteps
from embsearch.splitting import by_size, text_bytes
from embsearch.sync_runner import SyncRunner
from embsearch.text_steps import Ways
from embsearch.tokens import Tokens
from embsearch.vectors import Vector, Vectors, joined

T = TypeVar("T")
TIMEOUT_SECONDS, RETRIES, DEADLINE_SECONDS, PARALLEL = 35.0, 6, 120.0, 4


class Client:
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
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._runner = SyncRunner(connection_to(url, api_key), transport)
        self._patience = Patience(timeout_seconds=timeout, retries=retries, deadline_seconds=deadline)
        self._tokens, self._parallel = Tokens(), parallel
        self.namespaces = Namespaces(self._runner, self._patience)
        self.models = Models(self._runner, self._patience)

    def namespace(self, name: str) -> Namespace:
        """A handle; this sends no request."""
        return Namespace(self._runner, NamespaceSteps(name, self._patience, self._tokens), self._parallel)

    def embed(self, texts: str | Iterable[str], **how: Unpack[Ways]) -> Vector | Vectors:
        """The vector of one text, or a row for each of any number of texts. Raises the error of the first text that
        cannot be embedded."""
        if isinstance(texts, str):
            return (self._runner.run(text_steps.vectors([texts], 0, how, self._patience)))[0]
        parts = text_steps.numbered(by_size(texts, text_bytes))
        work = (text_steps.vectors(part, first, how, self._patience) for first, part in parts)
        return joined(self._in_order(work))

    def embed_many(
        self, texts: Iterable[str], *, on_error: Literal["raise", "skip"] = "raise", **how: Unpack[Ways]
    ) -> EmbedResult:
        """The vectors with what there is to say about each text. `skip`: a text that cannot be embedded has a row of
        NaN and its error."""
        parts = by_size(texts, text_bytes)
        work = (text_steps.outcomes(part, how, self._patience) for part in parts)
        result = text_steps.result_of(self._in_order(work))
        if on_error == "raise" and (error := text_steps.first_error(result)):
            raise error
        return result

    def tokenize(
        self, texts: str | Iterable[str], *, model_id: str | None = None, add_special_tokens: bool | None = None
    ) -> tuple[TokenizedText, ...]:
        parts = by_size([texts] if isinstance(texts, str) else texts, text_bytes)
        work = (text_steps.tokenized(part, model_id, add_special_tokens, self._patience) for part in parts)
        return tuple(item for part in self._in_order(work) for item in part)

    def rerank(
        self, query: str, texts: Sequence[str], *, model: str | None = None, top_n: int | None = None
    ) -> tuple[RankedText, ...]:
        """Up to 256 texts by their relevance for the query, by a cross-encoder; without `model`, by the only one."""
        return self._runner.run(text_steps.ranked(query, texts, model, top_n, self._patience))

    def health(self) -> Health:
        """Whether the service can do all its work. A service that is not ready is no error."""
        return self._runner.run(text_steps.health(self._patience))

    def _in_order(self, work: Iterable[Steps[T]]) -> list[T]:
        return [result for _, result in sorted(self._runner.each(work, self._parallel), key=itemgetter(0))]

    def close(self) -> None:
        self._runner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
