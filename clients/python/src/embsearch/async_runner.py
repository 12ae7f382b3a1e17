"""Does the steps of operations with httpx.AsyncClient, several of them at a time in tasks."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from concurrent.futures import CancelledError
from typing import TypeVar

import httpx

from embsearch.connection import Connection
from embsearch.exchange import Call, Lost, Pause, Reply, Steps
from embsearch.transport import headers_of, lost, reply_of, timeout_of

T = TypeVar("T")


class AsyncRunner:
    def __init__(self, connection: Connection, transport: httpx.AsyncBaseTransport | None) -> None:
        self._http = httpx.AsyncClient(base_url=connection.url, headers=connection.headers, transport=transport)

    async def run(self, steps: Steps[T], stopping: asyncio.Event | None = None) -> T:
        given: Reply | Lost | None = None
        try:
            while True:
                given = await self._done(steps.send(given), stopping or asyncio.Event())
        except StopIteration as end:
            result: T = end.value
            return result

    async def each(self, work: AsyncIterable[Steps[T]], parallel: int) -> AsyncIterator[tuple[int, T]]:
        """The results as they come, each with the number of its work. No more work is taken from the iterable than is
        being done. Once one has failed, the others end with the request under way, and their results come before
        the error is raised."""
        waiting: dict[asyncio.Task[T], int] = {}
        stopping, number = asyncio.Event(), 0
        try:
            async for steps in work:
                waiting[asyncio.create_task(self.run(steps, stopping))] = number
                number += 1
                if len(waiting) >= parallel:
                    async for finished in _finished(waiting):
                        yield finished
            while waiting:
                async for finished in _finished(waiting):
                    yield finished
        except Exception:
            stopping.set()
            if waiting:
                await asyncio.wait(waiting)
            for finished in _taken(waiting, waiting.keys()):
                yield finished
            raise
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def _done(self, step: Call | Pause, stopping: asyncio.Event) -> Reply | Lost | None:
        if isinstance(step, Pause):
            try:
                await asyncio.wait_for(stopping.wait(), step.seconds)
            except TimeoutError:
                return None
            raise CancelledError("another request of the same call has failed")
        try:
            return reply_of(
                await self._http.request(
                    step.method,
                    step.path,
                    content=step.body,
                    params=step.query,
                    headers=headers_of(step),
                    timeout=timeout_of(step),
                )
            )
        except httpx.TransportError as error:
            return lost(error)

    async def close(self) -> None:
        await self._http.aclose()


async def as_async(items: Iterable[T] | AsyncIterable[T]) -> AsyncIterator[T]:
    """Both kinds of iterables as one."""
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item


async def _finished(waiting: dict[asyncio.Task[T], int]) -> AsyncIterator[tuple[int, T]]:
    """Wait until one is, and take those out that are. Raises what one has raised, after the results of others."""
    done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for finished in _taken(waiting, done):
        yield finished
    for failed in done:
        failed.result()


def _taken(waiting: dict[asyncio.Task[T], int], done: Iterable[asyncio.Task[T]]) -> Iterator[tuple[int, T]]:
    """Take them out; gives those that have a result."""
    for task, number in [(task, waiting.pop(task)) for task in [*done]]:
        if task.exception() is None:
            yield number, task.result()
