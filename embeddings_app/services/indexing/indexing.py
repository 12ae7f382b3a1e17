"""Indexing: pending records to vectors in the log. Run by the indexers, woken by hints and by the sweep.

A claim is a lease and nothing more: two indexers may embed the same text, and the write decides by the revision of the
text which result still counts.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from embedding_project.contracts.keys import InputType, content_hash
from embedding_project.contracts.messages import Lane
from embedding_project.contracts.model_spec import ModelSpec
from embedding_project.contracts.vectors import to_bytes, unit_length
from embedding_project.observing import tracing
from embedding_project.observing.request_context import current_origins, serving
from embeddings_app import registry
from embeddings_app.records import changes, embeddings
from embeddings_app.records.embeddings import Claim, FinishedVector
from embeddings_app.records.topology import writable_layouts
from embeddings_app.records.transactions import in_transaction
from embeddings_app.services.embedding.embed import INFRASTRUCTURE_ERRORS, EmbedOutcome, embed_texts
from embeddings_app.services.indexing.hints_heard import hinted

CLAIM_ITEMS = 32
"""Small enough that a batch of the longest texts is embedded well before its deadline, on two cores too."""
LEASE_SECONDS = 30.0
EMBED_SECONDS = 15.0
_OUTAGE_BACKOFF_SECONDS = 1.0
_FAILURE_BACKOFF_SECONDS = 2.0
logger = logging.getLogger(__name__)

Embed = Callable[[ModelSpec, Sequence[str]], list[EmbedOutcome]]
EmbedderRestarted = Callable[[float], bool]
"""Whether an embedder started after the time given (seconds since the epoch)."""


def embed_documents(spec: ModelSpec, texts: Sequence[str]) -> list[EmbedOutcome]:
    """The outcomes of document texts over the bulk lane."""
    return embed_texts(spec, InputType.DOCUMENT, texts, Lane.BULK, time.time() + EMBED_SECONDS)


def index_pending(seconds: float, embed: Embed, embedder_restarted: EmbedderRestarted) -> bool:
    """Work on due records for about `seconds`; True when there may be more."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        claims = embeddings.claim_pending(CLAIM_ITEMS, LEASE_SECONDS)
        if not claims:
            return False
        specs = registry.specs_by_key([claim.version_key for claim in claims])
        for version_key, batch in _batches(claims):
            origins = hinted.of(claim.document_key for claim in batch) or current_origins()
            began_ns = time.time_ns()
            with serving(origins):
                _index_batch(specs[version_key], batch, embed, embedder_restarted)
            tracing.record("index", origins, began_ns, texts=len(batch))
    return True


def _batches(claims: Sequence[Claim]) -> Iterator[tuple[int, list[Claim]]]:
    """Claims of one version together, in batches no larger than any of their limits."""
    groups: dict[tuple[int, int], list[Claim]] = defaultdict(list)
    for claim in claims:
        groups[claim.version_key, claim.batch_limit].append(claim)
    for (version_key, limit), group in groups.items():
        for start in range(0, len(group), limit):
            yield version_key, group[start : start + limit]


def _index_batch(spec: ModelSpec, batch: Sequence[Claim], embed: Embed, embedder_restarted: EmbedderRestarted) -> None:
    sent_at = time.time()
    outcomes = embed(spec, [claim.text for claim in batch])
    done = [(claim, outcome) for claim, outcome in zip(batch, outcomes, strict=True) if outcome.vector is not None]
    if done:
        in_transaction(lambda: _write(spec, done))
        hinted.forget(claim.document_key for claim, _ in done)
        logger.debug("embedded %d of %d texts of model version %d", len(done), len(batch), spec.version_key)
    lost = [claim for claim, outcome in zip(batch, outcomes, strict=True) if outcome.error in INFRASTRUCTURE_ERRORS]
    if lost:
        _give_back(lost, len(batch), suspect=embedder_restarted(sent_at))
    failed = [
        claim
        for claim, outcome in zip(batch, outcomes, strict=True)
        if outcome.error is not None and outcome.error not in INFRASTRUCTURE_ERRORS
    ]
    if failed:
        logger.warning("%d texts of model version %d failed on their own account", len(failed), spec.version_key)
        embeddings.count_failure([claim.record_key for claim in failed], _FAILURE_BACKOFF_SECONDS, "model_error")


def _give_back(lost: Sequence[Claim], batch_size: int, *, suspect: bool) -> None:
    """If no embedder died meanwhile it was an outage; else a text of the batch may have been the cause."""
    keys = [claim.record_key for claim in lost]
    logger.warning("%d texts were not embedded%s", len(lost), ", an embedder died meanwhile" if suspect else "")
    if not suspect:
        embeddings.release(keys, _OUTAGE_BACKOFF_SECONDS, "not answered")
    elif batch_size > 1:
        embeddings.release_halved(keys, batch_size // 2, _OUTAGE_BACKOFF_SECONDS, "an embedder died with this batch")
    else:
        embeddings.count_failure(keys, _FAILURE_BACKOFF_SECONDS, "an embedder died with this text alone")


def _write(spec: ModelSpec, done: Sequence[tuple[Claim, EmbedOutcome]]) -> None:
    """1. lock the documents that still hold the embedded text  2. their vectors  3. the log, counters last."""
    locked = embeddings.lock_embedded(
        [claim.document_key for claim, _ in done],
        [claim.text_revision for claim, _ in done],
        epoch=done[0][0].epoch,
    )
    finished = [
        FinishedVector(
            claim.document_key, claim.text_revision, to_bytes(unit_length(outcome.vector)), content_hash(claim.text)
        )
        for claim, outcome in done
        if claim.document_key in locked and outcome.vector is not None
    ]
    if not finished:
        return
    embeddings.write_vectors(spec.version_key, finished)
    embeddings.drop_unstored_texts([item.document_key for item in finished])
    entries = [
        changes.ChangedDocument(
            item.document_key, locked[item.document_key].revision, locked[item.document_key].shard_hash
        )
        for item in finished
    ]
    changes.append_changes(writable_layouts(), [spec.version_key], entries)
