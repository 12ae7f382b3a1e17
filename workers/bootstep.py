"""The drain loop as a part of a Celery worker: started with it, finished before it ends."""

import logging
import os
import threading
import traceback
from typing import Any

from celery import bootsteps
from celery.worker import state

from workers import service
from workers.drainer import FINISH_SECONDS, Drainer

_JOIN_SECONDS = FINISH_SECONDS + 8.0
"""A step in progress is waited for, a hung one is not."""
logger = logging.getLogger(__name__)


class DrainerThread(threading.Thread):
    def __init__(self, drainer: Drainer) -> None:
        super().__init__(name="batch-drainer", daemon=True)
        self._drainer = drainer

    def run(self) -> None:
        try:
            service.preload()
            self._drainer.run()
        except Exception as error:  # noqa: BLE001
            # A fault nobody foresaw: the process ends and is started anew. Its message may quote a text: not logged.
            frames = "".join(traceback.format_tb(error.__traceback__))
            logger.critical("the drain loop ended with %s\n%s", type(error).__name__, frames)
            state.should_stop = os.EX_SOFTWARE

    def stop(self) -> None:
        """Let the loop finish, and wait for it."""
        self._drainer.stop()
        self.join(_JOIN_SECONDS)
        if self.is_alive():
            logger.error("the drain loop did not finish in %.0f s", _JOIN_SECONDS)


class BatchDrainer(bootsteps.StartStopStep):  # type: ignore[misc]
    """Every worker with this step drains the embed lanes, whatever queues it consumes besides."""

    def create(self, worker: Any) -> DrainerThread:
        name, _, _ = worker.hostname.partition("@")
        return DrainerThread(service.drainer(name))
