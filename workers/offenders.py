"""Texts on which a model failed alone several times: the embedder refuses them at once for a while.

Each attempt costs a failed pass, and more passes to halve its batch. Only this process remembers them, up to a limit.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from embedding_project.contracts.model_spec import ModelSpec

MAX_FAILURES = 3
REFUSED_SECONDS = 300.0
MAX_REMEMBERED = 4_096

_Key = tuple[int, bytes]


@dataclass(slots=True)
class _Record:
    failures: int
    until: float


class Offenders:
    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._records: OrderedDict[_Key, _Record] = OrderedDict()

    def failed(self, model: ModelSpec, cache_key: bytes) -> None:
        """Count that `model` failed on the text alone."""
        key, now = (model.version_key, cache_key), self._monotonic()
        record = self._records.pop(key, None)
        if record is None or record.until <= now:
            record = _Record(0, 0.0)
        self._records[key] = _Record(record.failures + 1, now + REFUSED_SECONDS)
        while len(self._records) > MAX_REMEMBERED:
            self._records.popitem(last=False)

    def refuses(self, model: ModelSpec, cache_key: bytes) -> bool:
        """Whether it is too early for another attempt with the text."""
        record = self._records.get((model.version_key, cache_key))
        return record is not None and record.failures >= MAX_FAILURES and record.until > self._monotonic()

    def __len__(self) -> int:
        return len(self._records)
