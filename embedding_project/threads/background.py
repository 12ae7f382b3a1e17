"""Background threads that many requests rely on: they must outlive any single surprise."""

import logging
import threading
import time
from collections.abc import Callable

_PAUSE_AFTER_ERROR_SECONDS = 0.2
logger = logging.getLogger(__name__)


def repeat_forever(name: str, step: Callable[[], None]) -> threading.Thread:
    """Call `step` again and again in a daemon thread; an unexpected error is logged and does not end it.

    `step` does its own waiting: it should block until there is something to do.
    """

    def run() -> None:
        while True:
            try:
                step()
            except Exception:
                logger.exception("%s failed, going on", name)
                time.sleep(_PAUSE_AFTER_ERROR_SECONDS)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    return thread
