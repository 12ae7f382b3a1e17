"""Indexing: pending records to vectors in the log. Run by the indexers, woken by hints and by the sweep.

A claim is a lease of one batch. When it runs out, another indexer may embed the same text. Then the revision of the
text decides which vector is written, and a failure counts only from the indexer that still holds the lease.
"""

import logging
import time
from collections.abc import Callable, Sequence
from enum import Enum, auto

from embedding_project.contracts.keys import InputType
from embedding_project.contracts.messages import Lane
from embedding_project.contracts.model_spec import ModelSpec
from embedding_project.observing import tracing
from embedding_project.observing.request_context import current_origins, serving
from embeddings_app import registry
from embeddings_app.records import claims, documents, embeddings
from embeddings_app.records.claims import Claim
from embeddings_app.records.transactions import in_transaction
from embeddings_app.services.embedding.embed import (
    ANSWER_SECONDS,
    INFRASTRUCTURE_ERRORS,
    EmbedOutcome,
    embed_texts,
)
from embeddings_app.services.indexing.claiming import Claiming
from embeddings_app.services.indexing.hints_heard import hinted
from embeddings_app.services.indexing.writing import write_embedded

_ROOM_SECONDS = 10.0
"""How long texts wait for room in the queue of the embedders."""
LEASE_SECONDS = _ROOM_SECONDS + ANSWER_SECONDS + 5.0
"""For one batch. What a dead indexer held is free after it."""
_OUTAGE_BACKOFF_SECONDS = 1.0
_FAILURE_BACKOFF_SECONDS = 2.0
logger = logging.getLogger(__name__)

Embed = Callable[[ModelSpec, Sequence[str]], list[EmbedOutcome]]
EmbedderRestarted = Callable[[float], bool]
"""Whether an embedder started after the time given (seconds since the epoch)."""


class _End(Enum):
    """How a batch ended."""

    WHOLE = auto()
    LOST = auto()
    """Some of it was not embedded in time, or an embedder died of it."""
    OUTAGE = auto()
    """Nothing of it was embedded, and no text is to blame."""


def embed_documents(spec: ModelSpec, texts: Sequence[str]) -> list[EmbedOutcome]:
    """The outcomes of document texts over the bulk lane."""
    return embed_texts(spec, InputType.DOCUMENT, texts, Lane.BULK, time.monotonic() + _ROOM_SECONDS, patient=True)


def index_pending(seconds: float, embed: Embed, embedder_restarted: EmbedderRestarted, claiming: Claiming) -> bool:
    """Work on due records for about `seconds`; True when there may be more. A version whose embedding is out rests
    meanwhile, and holds up no other."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        batch = claiming.take(LEASE_SECONDS)
        if not batch:
            return False
        spec = registry.known_spec(batch[0].version_key)
        if spec is None:
            continue  # the records that were claimed are gone as well
        origins = hinted.of(claim.document_key for claim in batch) or current_origins()
        began_ns = time.time_ns()
        began = claiming.now()
        with serving(origins):
            end = _index_batch(spec, batch, embed, embedder_restarted)
        claiming.learn(claiming.now() - began, lost=end is not _End.WHOLE)
        if end is _End.OUTAGE:
            claiming.rest(spec.version_key, began)
        tracing.record("index", origins, began_ns, texts=len(batch))
    return True


def _index_batch(spec: ModelSpec, batch: Sequence[Claim], embed: Embed, embedder_restarted: EmbedderRestarted) -> _End:
    """Embed and write the batch."""
    sent_at = time.time()
    outcomes = embed(spec, [claim.text for claim in batch])
    done = [(claim, outcome) for claim, outcome in zip(batch, outcomes, strict=True) if outcome.vector is not None]
    if done:
        write_embedded(spec, done)
        hinted.forget(claim.document_key for claim, _ in done)
        logger.debug("embedded %d of %d texts of model version %d", len(done), len(batch), spec.version_key)
    lost = [claim for claim, outcome in zip(batch, outcomes, strict=True) if outcome.error in INFRASTRUCTURE_ERRORS]
    suspect = bool(lost) and embedder_restarted(sent_at)
    if lost:
        _give_back(lost, len(batch), suspect=suspect)
    failed: dict[str, list[Claim]] = {}
    for claim, outcome in zip(batch, outcomes, strict=True):
        if outcome.error is not None and outcome.error not in INFRASTRUCTURE_ERRORS:
            failed.setdefault(outcome.error, []).append(claim)
    for code, refused in failed.items():
        logger.warning("%d texts of model version %d failed by themselves: %s", len(refused), spec.version_key, code)
        _blame(refused, code)
    if not lost:
        return _End.WHOLE
    return _End.OUTAGE if len(lost) == len(batch) and not suspect else _End.LOST


def _give_back(lost: Sequence[Claim], batch_size: int, *, suspect: bool) -> None:
    """If no embedder died meanwhile it was an outage; else a text of the batch may have been the cause."""
    logger.warning("%d texts were not embedded%s", len(lost), ", an embedder died meanwhile" if suspect else "")
    if not suspect:
        claims.release(lost, _OUTAGE_BACKOFF_SECONDS, "not answered")
    elif batch_size > 1:
        reason = "an embedder died with this batch"
        claims.release(lost, _OUTAGE_BACKOFF_SECONDS, reason, batch_limit=batch_size // 2)
    else:
        _blame(lost, "an embedder died with this text alone")


def _blame(failed: Sequence[Claim], reason: str) -> None:
    """Count the failure against the texts; one that is quarantined is not needed any more."""

    def count() -> None:
        locked = embeddings.lock_embedded(failed)
        claims.count_failure(failed, _FAILURE_BACKOFF_SECONDS, reason)
        documents.drop_unneeded_texts(list(locked))

    in_transaction(count)
