"""Which request wrote the documents that an indexer may soon claim, as far as hints said so.

A turn of indexing takes whatever is due, so a document may be embedded by a turn that another hint began. What is not
remembered costs nothing but the id in log lines.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable

from embedding_project.contracts.hints import IndexHint
from embedding_project.contracts.origins import Origin, Origins, distinct

_MAX_DOCUMENTS = 10_000


class HintedOrigins:
    def __init__(self, limit: int = _MAX_DOCUMENTS) -> None:
        self._limit = limit
        self._origins: OrderedDict[int, Origin] = OrderedDict()
        self._lock = threading.Lock()

    def remember(self, hint: IndexHint) -> None:
        with self._lock:
            for key, origin in zip(hint.document_keys, hint.origins, strict=False):
                self._origins[key] = origin
                self._origins.move_to_end(key)
            while len(self._origins) > self._limit:
                self._origins.popitem(last=False)

    def of(self, document_keys: Iterable[int]) -> Origins:
        """The requests that wrote these documents, each once."""
        with self._lock:
            return distinct(self._origins[key] for key in document_keys if key in self._origins)

    def forget(self, document_keys: Iterable[int]) -> None:
        with self._lock:
            for key in document_keys:
                self._origins.pop(key, None)


hinted = HintedOrigins()
"""What the hints said that reached this process."""
