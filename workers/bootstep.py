"""The drain loop as a part of a Celery worker: started with it, finished before it ends."""

from typing import Any

from celery import bootsteps

from embedding_project.threads.collector import spare_startup_objects
from embedding_project.threads.vital_thread import VitalThread
from workers import service
from workers.drainer import FINISH_SECONDS, LAST_STEP_SECONDS

_JOIN_SECONDS = FINISH_SECONDS + LAST_STEP_SECONDS + 3.0
"""A step in progress is waited for, a hung one is not."""


class BatchDrainer(bootsteps.StartStopStep):  # type: ignore[misc]
    """Every worker with this step drains the embed lanes, whatever queues it consumes besides."""

    def create(self, worker: Any) -> VitalThread:
        name, _, _ = worker.hostname.partition("@")
        drainer = service.drainer(name)

        def work() -> None:
            service.preload()
            spare_startup_objects()
            drainer.run()

        return VitalThread("batch-drainer", work, drainer.stop, _JOIN_SECONDS)
