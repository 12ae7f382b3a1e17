"""Which query texts are asked most, by model: counted in each api process, and merged into Postgres every minute.

The texts of users are data here: they are never logged, long ones are not counted, and what is stored is bounded,
halved every day and not part of a backup. `HOT_TEXTS=0` switches all of it off. What a process counted since its last
merge is lost with the process.
"""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache, partial

from django.db import Error as DatabaseError
from django.db import close_old_connections

from embedding_project.config import load_config
from embedding_project.contracts.errors import ServiceError
from embedding_project.threads.background import repeat_forever
from embeddings_app.database.fault_names import fault_name
from embeddings_app.records import hot_texts
from embeddings_app.records.hot_texts import Stored
from embeddings_app.records.transactions import in_transaction
from embeddings_app.services.embedding.space_saving import SpaceSaving, Summary

KEPT_TEXTS = 1_000
"""Of each model."""
MAX_CHARACTERS = 512
"""A longer text is hardly asked twice."""
MERGE_SECONDS = 60.0
HALVE_HOURS = 24
_MAX_MODELS = 64
logger = logging.getLogger(__name__)

Summaries = Mapping[str, Summary[str]]
"""By model id."""


class HotTexts:
    """The counts of one process since they were last taken. Safe to use from several threads."""

    def __init__(self, capacity: int = KEPT_TEXTS) -> None:
        self._capacity = capacity
        self._counters: dict[str, SpaceSaving[str]] = {}
        self._lock = threading.Lock()

    def count(self, model_id: str, texts: Sequence[str]) -> None:
        with self._lock:
            counter = self._counters.get(model_id)
            if counter is None:
                if len(self._counters) >= _MAX_MODELS:
                    return
                counter = self._counters[model_id] = SpaceSaving(self._capacity)
            for text in texts:
                if len(text) <= MAX_CHARACTERS:
                    counter.add(text)

    def take(self) -> Summaries:
        """What was counted, and begin anew."""
        with self._lock:
            counters, self._counters = self._counters, {}
        return {model_id: counter.summary() for model_id, counter in counters.items()}


def merge(taken: Summaries) -> None:
    """Add the counts of a process to the stored ones. Raises django.db.Error, ServiceError."""
    for model_id, summary in taken.items():
        in_transaction(partial(_merge, model_id, summary))


def _merge(model_id: str, summary: Summary[str]) -> None:
    hot_texts.change(model_id, lambda stored: _stored(_summary(stored).merged(summary, KEPT_TEXTS)))


def hottest_texts(model_id: str, limit: int) -> list[str]:
    """The query texts that the model was asked most, the first most of all."""
    return _summary(hot_texts.read(model_id)).top(limit)


def halve_due() -> int:
    """Halve the counts that were not halved for a day, and forget models that are gone; for how many models.

    With HOT_TEXTS=0 everything stored is forgotten instead.
    """
    if not load_config().hot_texts:
        return hot_texts.forget_all()
    hot_texts.forget_unknown_models()
    return sum(in_transaction(partial(_halve, model_id)) for model_id in hot_texts.due_to_halve(HALVE_HOURS))


def _halve(model_id: str) -> bool:
    if not hot_texts.note_halved(model_id, HALVE_HOURS):
        return False
    hot_texts.change(model_id, lambda stored: _stored(_summary(stored).halved()))
    return True


def _summary(stored: Stored) -> Summary[str]:
    return Summary(stored.get("total", 0.0), stored.get("error", 0.0), stored.get("counts", {}))


def _stored(summary: Summary[str]) -> Stored:
    return {"total": summary.total, "error": summary.error, "counts": dict(summary.counts)}


def count_queries(model_id: str, texts: Sequence[str]) -> None:
    """Count query texts that a client wants embedded. Costs microseconds."""
    if load_config().hot_texts:
        counted_here().count(model_id, texts)


@cache
def counted_here() -> HotTexts:
    """The counts of this process; the first call starts the thread that stores them."""
    counted = HotTexts()
    repeat_forever("hot-texts", lambda: _wait_and_merge(counted))
    return counted


def _wait_and_merge(counted: HotTexts) -> None:
    time.sleep(MERGE_SECONDS)
    taken = counted.take()
    if not taken:
        return
    # Outside of requests nobody else replaces a connection that broke.
    close_old_connections()
    try:
        merge(taken)
    except (DatabaseError, ServiceError) as error:
        logger.warning("counts of a minute are lost: %s", fault_name(error))
    finally:
        close_old_connections()
