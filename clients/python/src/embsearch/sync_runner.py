"""Does the steps of operations with httpx.Client, several of them at a time in threads."""

from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, wait
from threading import Event
from typing import TypeVar

import httpx

from embsearch.connection import Connection
from embsearch.exchange import Call, Lost, Pause, Reply, Steps
from embsearch.transport import headers_of, lost, reply_of, timeout_of

T = TypeVar("T")


class SyncRunner:
    def __init__(self, connection: Connection, transport: httpx.BaseTransport | None) -> None:
        self._http = httpx.Client(base_url=connection.url, headers=connection.headers, transport=transport)

    def run(self, steps: Steps[T], stopping: Event | None = None) -> T:
        given: Reply | Lost | None = None
        try:
            while True:
                given = self._done(steps.send(given), stopping or Event())
        except StopIteration as end:
            result: T = end.value
            return result

    def each(self, work: Iterable[Steps[T]], parallel: int) -> Iterator[tuple[int, T]]:
        """The results as they come, each with the number of its work. No more work is taken from the iterable than is
        being done. Once one has failed, the others end with the request under way, and their results come before
        the error is raised."""
        waiting: dict[Future[T], int] = {}
        stopping = Event()
        pool = ThreadPoolExecutor(parallel, thread_name_prefix="embsearch")
        try:
            for number, steps in enumerate(work):
                waiting[pool.submit(self.run, steps, stopping)] = number
                if len(waiting) >= parallel:
                    yield from _finished(waiting)
            while waiting:
                yield from _finished(waiting)
        except Exception:
            stopping.set()
            wait(waiting)
            yield from _taken(waiting, waiting.keys())
            raise
        finally:
            stopping.set()
            pool.shutdown(wait=True, cancel_futures=True)

    def _done(self, step: Call | Pause, stopping: Event) -> Reply | Lost | None:
        if isinstance(step, Pause):
            if stopping.wait(step.seconds):
                raise CancelledError("another request of the same call has failed")
            return None
        try:
            return reply_of(
                self._http.request(
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

    def close(self) -> None:
        self._http.close()


def _finished(waiting: dict[Future[T], int]) -> Iterator[tuple[int, T]]:
    """Wait until one is, and take those out that are. Raises what one has raised, after the results of others."""
    done, _ = wait(waiting, return_when=FIRST_COMPLETED)
    yield from _taken(waiting, done)
    for failed in done:
        failed.result()


def _taken(waiting: dict[Future[T], int], done: Iterable[Future[T]]) -> Iterator[tuple[int, T]]:
    """Take them out; gives those that have a result."""
    for future, number in [(future, waiting.pop(future)) for future in [*done]]:
        if future.exception() is None:
            yield number, future.result()
