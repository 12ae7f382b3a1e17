"""Work that may be done beside what its caller does meanwhile: by another thread of the process, if one is free."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Generic, TypeVar

from embedding_project.threads.turns import request_turns

Result = TypeVar("Result")


class Begun(Generic[Result]):
    """Work that another thread does, or its caller once it needs it. For one thread."""

    def __init__(self, work: Callable[[], Result], taken: "Future[Result]") -> None:
        self._work = work
        self._taken = taken

    def result(self, seconds: float) -> Result:
        """What the work gives or raises. Raises TimeoutError when another thread is not done with it in `seconds`."""
        if self._taken.cancel():
            return self._work()
        with request_turns.away():
            return self._taken.result(seconds)


def unbegun(work: Callable[[], Result]) -> Begun[Result]:
    """Work that its caller does once it needs it."""
    return Begun(work, Future())


class Beside:
    """A few threads that take work of many callers. What none has begun when it is needed is done by its caller, so
    nothing waits for a free thread. Safe for many threads."""

    def __init__(self, name: str, threads: int, at_end: Callable[[], None]) -> None:
        """`at_end`: called in the thread after each work, to give back what belongs to the thread."""
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._at_end = at_end

    def begin(self, work: Callable[[], Result]) -> Begun[Result]:
        """The work sees the context variables of its caller."""
        return Begun(work, self._pool.submit(copy_context().run, self._run, work))

    def _run(self, work: Callable[[], Result]) -> Result:
        try:
            with request_turns.turn():
                return work()
        finally:
            self._at_end()
