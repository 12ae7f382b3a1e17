"""Histories: what a restore, by whatever tool, makes void in everything that is not Postgres."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from django.db import transaction
from redis.exceptions import RedisError

from embeddings_app.records.topology import renew_epoch
from embeddings_app.services import audit
from embeddings_app.services.embedding.cache import cached_vectors

_REST_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class NewHistory:
    epoch: str
    cache_emptied: bool
    """False when the cache did not answer: it may hold vectors of weights that a version no longer means."""


def begin_history(actor: str) -> NewHistory:
    """Give the logs a new epoch: nodes rebuild, tokens and claims expire, the embedding cache is emptied."""
    with transaction.atomic():
        epoch = renew_epoch()
        audit.record(actor, "log_epoch.renewed", epoch)
    return NewHistory(epoch, empty_cache())


def _clear() -> None:
    cached_vectors().clear()


def empty_cache(clear: Callable[[], None] = _clear, patience_seconds: float = 5.0) -> bool:
    """Forget every cached vector; False when the cache does not answer for so long. Searches hardly wait for it, but
    here a moment's silence must not leave vectors of other weights."""
    give_up = time.monotonic() + patience_seconds
    while True:
        try:
            clear()
        except RedisError:
            if time.monotonic() > give_up:
                return False
            time.sleep(_REST_SECONDS)
        else:
            return True
