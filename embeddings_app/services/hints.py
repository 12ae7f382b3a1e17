"""Hints to the indexers, sent from a thread of their own so that no answer waits for the broker.

A hint may be lost, late or doubled: the sweep finds the work. What waits to be hinted is bounded.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from functools import cache

from embedding_project.background import repeat_forever
from embedding_project.contracts.errors import Unavailable
from embedding_project.dispatch import send_index_hint

_MAX_WAITING = 10_000
_MAX_KEYS_PER_HINT = 256
_PAUSE_AFTER_ERROR_SECONDS = 1.0
logger = logging.getLogger(__name__)


class HintSender:
    def __init__(self) -> None:
        self._waiting: deque[int] = deque(maxlen=_MAX_WAITING)
        self._wanted = threading.Event()
        repeat_forever("hints", self._send)

    def hint(self, document_keys: Sequence[int]) -> None:
        self._waiting.extend(document_keys)
        self._wanted.set()

    def _send(self) -> None:
        self._wanted.wait()
        self._wanted.clear()
        keys = [self._waiting.popleft() for _ in range(min(len(self._waiting), _MAX_KEYS_PER_HINT))]
        if self._waiting:
            self._wanted.set()
        try:
            if keys:
                send_index_hint(keys)
        except Unavailable as error:
            logger.warning("hint not sent: %s", error.code)
            time.sleep(_PAUSE_AFTER_ERROR_SECONDS)


@cache
def _sender() -> HintSender:
    return HintSender()


def hint_after_commit(document_keys: Sequence[int]) -> None:
    """Tell an indexer about committed documents. Call it after the transaction, never inside."""
    _sender().hint(document_keys)
