"""Read your writes: the tokens of writes that no search has waited for yet.

The token of an upsert names only the shards of its documents, so a newer one does not replace an older one. The token
of an update names all shards. A search that was answered with a token has waited for every replica, so the token is
needed no more.
"""

from collections import OrderedDict
from threading import Lock

MOST_TOKENS = 32
"""For one namespace. Of more writes that are not waited for, only the newest are followed."""


class Tokens:
    """Of all namespaces of one client; its threads share it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: dict[str, OrderedDict[str, None]] = {}

    def written(self, namespace: str, token: str | None, *, covers_all: bool = False) -> None:
        if token is None:
            return
        with self._lock:
            waiting = self._waiting.setdefault(namespace, OrderedDict())
            if covers_all:
                waiting.clear()
            waiting[token] = None
            waiting.move_to_end(token)
            while len(waiting) > MOST_TOKENS:
                waiting.popitem(last=False)

    def waiting(self, namespace: str) -> tuple[str, ...]:
        """The oldest first."""
        with self._lock:
            return tuple(self._waiting.get(namespace, ()))

    def reached(self, namespace: str, token: str) -> None:
        """A search was answered with the token, or the token holds for nothing any more."""
        with self._lock:
            waiting = self._waiting.get(namespace)
            if waiting is not None:
                waiting.pop(token, None)
                if not waiting:
                    del self._waiting[namespace]
