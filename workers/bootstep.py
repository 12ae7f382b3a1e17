"""The drain loop as a part of a Celery worker, which starts it, and stops it before it ends."""

from typing import Any

from celery import bootsteps

from embedding_project.threads.collector import spare_startup_objects
from embedding_project.threads.vital_thread import VitalThread
from workers import service
from workers.drainer import FINISH_SECONDS, LAST_STEP_SECONDS

_JOIN_SECONDS = FINISH_SECONDS + LAST_STEP_SECONDS + 3.0
"""Long enough for a step in progress. A stop does not wait for a step that hangs."""


class BatchDrainer(bootsteps.StartStopStep):  # type: ignore[misc]
    """Every worker with this step drains the embed lanes, no matter which other queues it consumes."""

    def create(self, worker: Any) -> VitalThread:
        name, _, _ = worker.hostname.partition("@")
        drainer = service.drainer(name)

        def work() -> None:
            service.preload()
            spare_startup_objects()
            drainer.run()

        return VitalThread("batch-drainer", work, drainer.stop, _JOIN_SECONDS)
