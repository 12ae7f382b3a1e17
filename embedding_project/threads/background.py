"""Background threads that many requests rely on: no single error may end them."""

import logging
import threading
import time
from collections.abc import Callable

from embedding_project.observing.log_lines import place_of

_PAUSE_AFTER_ERROR_SECONDS = 0.2
logger = logging.getLogger(__name__)


def repeat_forever(name: str, step: Callable[[], None]) -> threading.Thread:
    """Call `step` again and again in a daemon thread; an unforeseen error is logged and does not end the thread.

    `step` must wait by itself until there is something to do.
    """

    def run() -> None:
        while True:
            try:
                step()
            except BaseException as error:  # noqa: BLE001
                # A panic of Rust code is no Exception. The message of an error may quote what a user sent.
                logger.error("%s failed, and goes on: %s", name, place_of(error))
                time.sleep(_PAUSE_AFTER_ERROR_SECONDS)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    return thread
