"""Histories: what a restore, by whatever tool, makes void in everything that is not Postgres."""

from dataclasses import dataclass

from django.db import transaction
from redis.exceptions import RedisError

from embeddings_app.records.topology import renew_epoch
from embeddings_app.services import audit
from embeddings_app.services.embedding.cache import cached_vectors


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


def empty_cache() -> bool:
    """Forget every cached vector; False when the cache did not answer."""
    try:
        cached_vectors().clear()
    except RedisError:
        return False
    return True
