"""The node as part of a Celery worker, which starts and stops it. A thread of the node drains its searches."""

from typing import Any

from celery import bootsteps

from embedding_project.threads.vital_thread import VitalThread
from index_nodes import service

_JOIN_SECONDS = 3.0
"""Long enough for a search in progress. A stop does not wait for a search that hangs."""


class RunningNode:
    """The follower and the builds of the node, and the thread that answers its searches."""

    def __init__(self) -> None:
        self._node = service.node()
        drainer = service.drainer()
        self._searches = VitalThread("search-drainer", drainer.run, drainer.stop, _JOIN_SECONDS)

    def start(self) -> None:
        self._node.start()
        self._searches.start()

    def stop(self) -> None:
        self._searches.stop()
        self._node.stop()


class NodeStep(bootsteps.StartStopStep):  # type: ignore[misc]
    """Every worker with this step is a shard replica, no matter which other queues it consumes."""

    def create(self, worker: Any) -> RunningNode:  # noqa: ARG002
        return RunningNode()
