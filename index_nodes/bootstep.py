"""The node as part of a Celery worker: started and stopped with it, consuming only while it may answer."""

from typing import Any

from celery import bootsteps

from index_nodes import service
from index_nodes.node import ShardNode

_CHECK_SECONDS = 0.05
_SEARCH_QUEUES = "search.l"
"""How the names of queues begin that belong to a layout; the worker's control queue is left alone."""


class NodeStep(bootsteps.StartStopStep):  # type: ignore[misc]
    """Creates the node of this process and runs it from the start of the worker to its stop."""

    def create(self, worker: Any) -> ShardNode:  # noqa: ARG002
        return service.node()


class SearchQueues(bootsteps.StartStopStep):  # type: ignore[misc]
    """Joins and leaves the search queues, from a timer of the event loop.

    Only that thread may touch the consumer. After a lost broker connection the consumer is made anew and this step is
    started again with it. A message that Redis hands over in the moment a queue is left is put back by the transport.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._timer: Any = None

    def start(self, consumer: Any) -> None:
        self._timer = consumer.timer.call_repeatedly(_CHECK_SECONDS, reconcile, (consumer,))

    def stop(self, consumer: Any) -> None:  # noqa: ARG002
        if self._timer is not None:
            self._timer.cancel()


def reconcile(consumer: Any) -> None:
    """Make the worker consume the queues its node may answer, and no other search queue."""
    tasks = consumer.task_consumer
    if tasks is None:
        return
    wanted = service.node().queues()
    for queue in list(consumer.app.amqp.queues.consume_from):
        if queue.startswith(_SEARCH_QUEUES) and queue not in wanted:
            consumer.cancel_task_queue(queue)
    for queue in wanted:
        if not tasks.consuming_from(queue):
            consumer.add_task_queue(queue)
