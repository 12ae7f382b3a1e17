"""Hints to the indexers, sent from a thread of their own so that no answer waits for the broker.

A hint may be lost, late or doubled: the sweep finds the work. What waits to be hinted is bounded.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from functools import cache

from embedding_project.broker.dispatch import send_index_hint
from embedding_project.contracts.errors import Unavailable
from embedding_project.contracts.hints import IndexHint
from embedding_project.contracts.origins import NOBODY, Origin
from embedding_project.observing.request_context import current_origins
from embedding_project.threads.background import repeat_forever

_MAX_WAITING = 10_000
_MAX_KEYS_PER_HINT = 256
_PAUSE_AFTER_ERROR_SECONDS = 1.0
logger = logging.getLogger(__name__)


class HintSender:
    def __init__(self) -> None:
        self._waiting: deque[tuple[int, Origin]] = deque(maxlen=_MAX_WAITING)
        self._wanted = threading.Event()
        repeat_forever("hints", self._send)

    def hint(self, document_keys: Sequence[int]) -> None:
        origin = next(iter(current_origins()), NOBODY)
        self._waiting.extend((key, origin) for key in document_keys)
        self._wanted.set()

    def _send(self) -> None:
        self._wanted.wait()
        self._wanted.clear()
        hints = [self._waiting.popleft() for _ in range(min(len(self._waiting), _MAX_KEYS_PER_HINT))]
        if self._waiting:
            self._wanted.set()
        try:
            if hints:
                keys, origins = zip(*hints, strict=True)
                send_index_hint(IndexHint(keys, origins))
        except Unavailable as error:
            logger.warning("hint not sent: %s", error.code)
            time.sleep(_PAUSE_AFTER_ERROR_SECONDS)


@cache
def _sender() -> HintSender:
    return HintSender()


def hint_of_anything() -> IndexHint:
    """Says that something is due, but not what, on behalf of what is being worked on."""
    return IndexHint((), current_origins()[:1])


def hint_after_commit(document_keys: Sequence[int]) -> None:
    """Tell an indexer about committed documents. Call it after the transaction, never inside."""
    _sender().hint(document_keys)
