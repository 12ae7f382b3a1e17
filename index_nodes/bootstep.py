"""The node as part of a Celery worker: started and stopped with it, its searches drained by a thread of their own."""

from typing import Any

from celery import bootsteps

from embedding_project.threads.vital_thread import VitalThread
from index_nodes import service

_JOIN_SECONDS = 3.0
"""A search in progress is waited for, a hung one is not."""


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
    """Every worker with this step is a shard replica, whatever queues it consumes besides."""

    def create(self, worker: Any) -> RunningNode:  # noqa: ARG002
        return RunningNode()
