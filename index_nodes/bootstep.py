"""The node as part of a Celery worker, which starts and stops it. Threads of the node drain its searches."""

import sys
from typing import Any

from celery import bootsteps

from embedding_project.threads.vital_thread import VitalThread
from index_nodes import service

_JOIN_SECONDS = 3.0
"""Long enough for a search in progress. A stop does not wait for a search that hangs."""
_SWITCH_SECONDS = 0.0005
"""How long a thread may hold the interpreter while another one waits for it. A search waits for it after each call of
Faiss. Beside a busy follower, p50 and p95 of a search were 2.2 and 10.5 ms with Python's 5 ms, 1.8 and 9.8 with 1 ms,
1.8 and 6.4 with 0.5 ms, 1.9 and 7.1 with 0.2 ms; the follower kept its pace (20,000 x 384, 2 busy cores, medians)."""


class RunningNode:
    """The follower and the builds of the node, and the threads that answer its searches."""

    def __init__(self) -> None:
        self._node = service.node()
        self._drainers = service.drainers()
        self._searches = [
            VitalThread(f"search-{drainer.lane}-{number}", drainer.run, drainer.stop, _JOIN_SECONDS)
            for number, drainer in enumerate(self._drainers)
        ]

    def start(self) -> None:
        sys.setswitchinterval(_SWITCH_SECONDS)
        self._node.start()
        for thread in self._searches:
            thread.start()

    def stop(self) -> None:
        # All are asked before one is waited for, since each may be in a look at its queues.
        for drainer in self._drainers:
            drainer.stop()
        for thread in self._searches:
            thread.stop()
        self._node.stop()


class NodeStep(bootsteps.StartStopStep):  # type: ignore[misc]
    """Every worker with this step is a shard replica, no matter which other queues it consumes."""

    def create(self, worker: Any) -> RunningNode:  # noqa: ARG002
        return RunningNode()
