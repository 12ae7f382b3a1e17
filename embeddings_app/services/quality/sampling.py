"""Sampling: a few searches of clients are kept, to measure model versions with them.

A request only offers its search. A thread writes it down; while Postgres is slow or away, samples are lost, and nothing
else. What clients ask is never in a log.
"""

import random
import time
from collections.abc import Callable
from functools import cache
from queue import Full, Queue

from django.db import Error as DatabaseError
from django.db import close_old_connections

from embedding_project.config import load_config
from embedding_project.threads.background import repeat_forever
from embedding_project.threads.seldom import Seldom
from embeddings_app.records.search_samples import LiveSearch, keep_sample

MAX_TEXT_BYTES = 4 * 1024
"""Longer queries are not kept: a thousand of them would fill a table that is to be small."""
INTERVAL_SECONDS = 1.0
_MAX_WAITING = 8


class SearchSampler:
    """Keeps at most one search of a process in `INTERVAL_SECONDS`, and only `share` of those it is offered."""

    def __init__(
        self,
        share: float,
        keep: Callable[[LiveSearch], None],
        *,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._share = share
        self._keep = keep
        self._chance = chance
        self._turns = Seldom(INTERVAL_SECONDS, clock)
        self._waiting: Queue[LiveSearch] = Queue(_MAX_WAITING)
        if share > 0:
            repeat_forever("search-samples", self.keep_next)

    def offer(self, make: Callable[[], LiveSearch]) -> None:
        """Maybe keep the search that `make` gives. Never waits, and raises nothing of its own."""
        if self._chance() >= self._share or not self._turns.take_turn():
            return
        search = make()
        if len(search.text.encode()) > MAX_TEXT_BYTES:
            return
        try:
            self._waiting.put_nowait(search)
        except Full:
            return

    def keep_next(self) -> None:
        """Write down the next search; waits until there is one."""
        search = self._waiting.get()
        try:
            self._keep(search)
        except DatabaseError:
            # Postgres is away, or the namespace has gone meanwhile. Another search will do as well.
            return


def _keep(search: LiveSearch) -> None:
    # Outside of requests nobody else replaces a connection that broke.
    close_old_connections()
    keep_sample(search)


@cache
def search_sampler() -> SearchSampler:
    """The sampler of this process."""
    return SearchSampler(load_config().search_sample_share, _keep)
