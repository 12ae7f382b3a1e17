"""A thread that its Celery worker cannot work without: when it fails, the process ends, and is started again."""

import logging
import os
import threading
from collections.abc import Callable

from celery.worker import state

from embedding_project.observing.log_lines import place_of

logger = logging.getLogger(__name__)


class VitalThread(threading.Thread):
    """Runs `work` until `stop` asks `work` to return; a bootstep may start and stop it with the worker."""

    def __init__(
        self, name: str, work: Callable[[], None], ask_to_stop: Callable[[], None], join_seconds: float
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._work = work
        self._ask_to_stop = ask_to_stop
        self._join_seconds = join_seconds

    def run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001
            # A panic of Rust code, such as the tokenizers package, is no Exception.
            logger.critical("%s ended with %s", self.name, place_of(error))
            state.should_stop = os.EX_SOFTWARE

    def stop(self) -> None:
        """Ask the work to end, and wait `join_seconds` for it."""
        self._ask_to_stop()
        self.join(self._join_seconds)
        if self.is_alive():
            logger.error("%s did not end in %.0f s", self.name, self._join_seconds)
