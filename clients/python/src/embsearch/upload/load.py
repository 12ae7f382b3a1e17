"""One load: its batches, the steps that send them, and what is known of it. Both clients drive it."""

import hashlib
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypedDict

from embsearch.errors import ApiError, Conflict, InvalidRequest
from embsearch.exchange import Steps
from embsearch.namespace_steps import NamespaceSteps
from embsearch.splitting import MOST_ITEMS
from embsearch.tokens import Tokens
from embsearch.upload.batches import Batch, Batches, Item
from embsearch.upload.checkpoint import Checkpoint
from embsearch.upload.report import (
    MOST_FAILED_KEPT,
    FailedDocument,
    ProgressCallback,
    UploadProgress,
    UploadReport,
    progress_line,
)
from embsearch.upload.rows import Columns, Converters, converters
from embsearch.upload.sources import Source, source_of

DEFAULT_BATCH, DEFAULT_PATIENCE_SECONDS = 128, 900.0
_SHOW_EVERY_SECONDS = 0.5


class UploadOptions(TypedDict, total=False):
    """How documents are loaded."""

    id: str
    """Column of the id; `id` unless given. Likewise `text` and `vector`."""
    text: str
    vector: str
    metadata: Iterable[str] | Converters | None
    """Columns, or column -> what makes its value of it: {"year": int}. Unless given: the object in the column
    `metadata` where there is one, else every other column."""
    batch: int
    """Documents in one request, 1 to 256; 128 unless given."""
    parallel: int
    """Requests at a time."""
    progress: bool | ProgressCallback
    on_error: Literal["collect", "raise"]
    """What to do about a document that is refused; the others of its request are written either way."""
    checkpoint: str | Path | None
    """A file from which a load that was killed goes on."""
    model_id: str | None
    idempotency_key: str | None
    """Each request has it, with a hash of its documents: what the service took once is not written again for a day."""
    patience_seconds: float
    """How long one request is tried; 900 unless given."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A batch whose request was answered."""

    batch: Batch
    refused: Sequence[tuple[Item, ApiError]] = ()
    unchanged: int = 0
    """Documents that were in the service as they are."""


class Load:
    def __init__(
        self, steps: NamespaceSteps, given: Any, how: UploadOptions, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Raises ValueError for options and sources that cannot be meant."""
        most, patience = how.get("batch", DEFAULT_BATCH), how.get("patience_seconds", DEFAULT_PATIENCE_SECONDS)
        if not 1 <= most <= MOST_ITEMS:
            raise ValueError(f"batch must be 1 to {MOST_ITEMS}")
        self._columns = Columns(
            id=how.get("id", "id"),
            text=how.get("text", "text"),
            vector=how.get("vector", "vector"),
            metadata=converters(how.get("metadata")),
        )
        self.source = source_of(given)
        _check_columns(self.source, self._columns)
        # A service that is overloaded for minutes is waited for, as long as the patience lasts.
        endless = replace(steps.patience, retries=1_000_000, deadline_seconds=patience)
        # Nor are its tokens kept: thousands of requests are followed by `wait`.
        self._steps = replace(steps, patience=endless, tokens=Tokens())
        self._batches, self._model_id = Batches(self._columns, most), how.get("model_id")
        self._key = how.get("idempotency_key")
        self._raises = how.get("on_error", "collect") == "raise"
        self._checkpoint = Checkpoint(how.get("checkpoint"), self._name())
        show = how.get("progress", False)
        self._show: ProgressCallback | None = show if callable(show) else progress_line() if show else None
        self._clock, self._began, self._shown = clock, clock(), clock()
        self._seen = self._resumed = self._written = self._unchanged = self._done = 0
        self._failed = list(self._checkpoint.failed[:MOST_FAILED_KEPT])
        self._failed_count = len(self._checkpoint.failed)

    def batches(self) -> Iterator[Batch]:
        if isinstance(self.source.rows, AsyncIterable):
            raise TypeError("an async iterable is loaded by AsyncClient")
        for row in self.source.rows:
            if batch := self._next(row):
                yield batch
        if rest := self._batches.rest():
            yield rest

    async def batches_async(self) -> AsyncIterator[Batch]:
        if isinstance(self.source.rows, AsyncIterable):
            async for row in self.source.rows:
                if batch := self._next(row):
                    yield batch
            if rest := self._batches.rest():
                yield rest
        else:
            for batch in self.batches():
                yield batch

    def sending(self, batch: Batch) -> Steps[Sent]:
        return (yield from self._sending(batch, batch.items)) if batch.items else Sent(batch)

    def done(self, sent: Sent) -> None:
        """Raises the first refusal, if so asked; then its batch counts as not done."""
        if self._raises and sent.refused:
            raise sent.refused[0][1]
        if self._raises and sent.batch.bad:
            raise ValueError(f"row {sent.batch.bad[0].row}: {sent.batch.bad[0].message}")
        failed = [_failed(item, error) for item, error in sent.refused] + sent.batch.bad
        self._checkpoint.done(sent.batch.rows(), failed)
        self._done += len(sent.batch)
        self._written += len(sent.batch.items) - len(sent.refused)
        self._unchanged += sent.unchanged
        self._failed_count += len(failed)
        self._failed += failed[: MOST_FAILED_KEPT - len(self._failed)]
        if self._show is not None and self._clock() - self._shown >= _SHOW_EVERY_SECONDS:
            self._shown = self._clock()
            self._show(self.progress())

    def progress(self) -> UploadProgress:
        seconds = max(self._clock() - self._began, 1e-9)
        total, rate, rows = self._total(), self._done / seconds, self._done + self._resumed
        left = None if total is None or not rate else max(0, total - rows) / rate
        return UploadProgress(
            rows=rows,
            written=self._written,
            failed=self._failed_count,
            total=total,
            rows_per_second=rate,
            eta_seconds=left,
        )

    def finish(self) -> UploadReport:
        self._checkpoint.finish()
        if self._show is not None:
            self._show(self.progress())
        return UploadReport(
            rows=self._done + self._resumed,
            written=self._written,
            unchanged=self._unchanged,
            resumed=self._resumed,
            failed_count=self._failed_count,
            failed=tuple(self._failed),
            seconds=self._clock() - self._began,
        )

    def close(self) -> None:
        self._checkpoint.close()

    def _next(self, row: object) -> Batch | None:
        number = self._seen
        self._seen += 1
        if self._checkpoint.is_done(number):
            self._resumed += 1
            return None
        return self._batches.add(number, row)

    def _sending(self, batch: Batch, items: Sequence[Item]) -> Steps[Sent]:
        """A request all of whose documents are bad is refused as a whole, and names the first of them; then each is
        sent alone."""
        try:
            bodies, once = [item.body for item in items], any(item.once for item in items)
            key = f"{self._key}-{_digest(bodies)}" if self._key else None
            written = yield from self._steps.upsert_encoded(
                bodies, once=once, wait=None, model_id=self._model_id, key=key
            )
        except (InvalidRequest, Conflict) as error:
            if not _is_about_documents(error):
                raise
            if len(items) == 1:
                return Sent(batch, [(items[0], error)])
            done = Sent(batch)
            for item in items:
                one = yield from self._sending(batch, [item])
                done = Sent(batch, (*done.refused, *one.refused), done.unchanged + one.unchanged)
            return done
        refused = [(item, one.error) for item, one in zip(items, written, strict=True) if one.error is not None]
        return Sent(batch, refused, sum(one.unchanged for one in written))

    def _total(self) -> int | None:
        if self.source.total is not None:
            return self.source.total
        share = self.source.share()
        return round(self._seen / share) if share else None

    def _name(self) -> Mapping[str, Any]:
        return {"namespace": self._steps.name, "source": self.source.identity}


def _failed(item: Item, error: ApiError) -> FailedDocument:
    return FailedDocument(row=item.row, id=item.id, code=error.code, message=error.message)


def _digest(bodies: Sequence[bytes]) -> str:
    return hashlib.sha256(b",".join(bodies)).hexdigest()[:32]


def _is_about_documents(error: ApiError) -> bool:
    return (error.field or "").startswith("documents") or error.code == "body_too_large"


def _check_columns(source: Source, columns: Columns) -> None:
    """Raises ValueError for a table that cannot hold the documents that are asked for."""
    if source.columns is None:
        return
    wanted = [columns.id, *(columns.metadata or ())]
    if missing := [name for name in wanted if name not in source.columns]:
        raise ValueError(f"there is no column {missing[0]!r}, only {', '.join(source.columns)}")
    if columns.text not in source.columns and columns.vector not in source.columns:
        raise ValueError(f"there is neither a column {columns.text!r} nor {columns.vector!r}; name the one of the text")
