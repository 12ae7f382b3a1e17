"""One chunk: the documents of a range of keys that the new version lacks, embedded on the bulk lane and written.

The chunk may run twice, at the same time too: what is written is compared with the document under its lock, and a
document that has a record is left to the indexers. A text that fails by itself becomes their work as well: they try it
again, quarantine it at last, and the run goes on.
"""

import logging
import time
from collections.abc import Callable, Sequence

from embedding_project.contracts.model_spec import ModelSpec
from embeddings_app import registry
from embeddings_app.models import ReembedChunk, ReembedRun
from embeddings_app.records import embeddings, model_locks, reembedding
from embeddings_app.records.embeddings import ReadText
from embeddings_app.records.reembedding import ChunkCounts
from embeddings_app.records.transactions import in_transaction
from embeddings_app.services.embedding.batch_size import BatchSize
from embeddings_app.services.embedding.embed import INFRASTRUCTURE_ERRORS, EmbedOutcome
from embeddings_app.services.indexing.indexing import LEASE_SECONDS, Embed
from embeddings_app.services.indexing.writing import write_embedded
from embeddings_app.services.reembedding.twins import embed_but_known, twin_of

CHUNK_SECONDS = 300.0
"""A task gives its chunk back after this; the sweep sends it again."""
PARALLEL_CHUNKS = 4
"""Chunks of a wave, which share the rate limit of the run."""
_PAUSE_SECONDS = 1.0
_FIRST_BATCH, _LARGEST_BATCH = 32, 256
_QUICK_SECONDS, _SLOW_SECONDS = 1.0, 3.0
"""Batches that take less time grow, those that take more shrink: searches wait for one batch at most."""
_MAX_OUTAGES = 10
"""More than it takes to halve the largest batch to a single text."""
logger = logging.getLogger(__name__)


def work_on_chunk(chunk_key: int, embed: Embed, sleep: Callable[[float], None] = time.sleep) -> bool:
    """Work on the chunk until it is finished; False when it is not, and has to be sent again."""
    chunk = reembedding.lease_chunk(chunk_key, LEASE_SECONDS)
    if chunk is None:
        return ReembedChunk.objects.filter(pk=chunk_key, finished_at__isnull=False).exists()
    finished = False
    try:
        finished = _work(chunk, embed, sleep)
    finally:
        reembedding.end_lease(chunk.pk, finished=finished)
    return finished


def _work(chunk: ReembedChunk, embed: Embed, sleep: Callable[[float], None]) -> bool:
    spec = registry.spec_of(chunk.run.model_version)
    not_kept = in_transaction(lambda: _set_aside(spec, chunk))
    running = reembedding.add_counts(chunk, ChunkCounts(not_kept=not_kept), LEASE_SECONDS)
    twin = twin_of(spec)
    size = BatchSize(
        texts=_FIRST_BATCH, largest=_LARGEST_BATCH, quick_seconds=_QUICK_SECONDS, slow_seconds=_SLOW_SECONDS
    )
    outages, until = 0, time.monotonic() + CHUNK_SECONDS
    while running and outages < _MAX_OUTAGES and time.monotonic() < until:
        texts = reembedding.texts_lacking(
            spec.model_id, spec.version_key, chunk.first_key, chunk.last_key, min(size.texts, _allowed(chunk.run))
        )
        if not texts:
            return True
        began = time.monotonic()
        outcomes = embed_but_known(spec, texts, embed, twin)
        counts, problem = _write(spec, texts, outcomes)
        seconds = time.monotonic() - began
        size.learn(seconds, lost=bool(problem))
        outages = outages + 1 if problem else 0
        pause = _PAUSE_SECONDS if problem else _rate_pause(chunk.run, len(texts), seconds)
        running = reembedding.add_counts(chunk, counts, pause + LEASE_SECONDS)
        if problem:
            ReembedRun.objects.filter(pk=chunk.run_id).update(problem=problem)
        sleep(pause)
    return False


def _rate_pause(run: ReembedRun, texts: int, seconds: float) -> float:
    """How long a chunk waits after a batch of so many texts that took so long, for the limit of its run."""
    if not run.documents_per_second:
        return 0.0
    return max(0.0, texts * PARALLEL_CHUNKS / run.documents_per_second - seconds)


def _allowed(run: ReembedRun) -> int:
    """Texts of one batch that keep a pause below the time of a lease."""
    if run.documents_per_second is None:
        return _LARGEST_BATCH
    return max(1, int(run.documents_per_second / PARALLEL_CHUNKS * _QUICK_SECONDS))


def _set_aside(spec: ModelSpec, chunk: ReembedChunk) -> int:
    """Mark the documents whose text clients have to send again; how many."""
    model_locks.lock_shared(spec.model_id)
    if not registry.is_live(spec.version_key):
        return 0
    return reembedding.set_aside_unkept(spec.model_id, spec.version_key, chunk.first_key, chunk.last_key)


def _write(spec: ModelSpec, texts: Sequence[ReadText], outcomes: Sequence[EmbedOutcome]) -> tuple[ChunkCounts, str]:
    """Write what was embedded; gives the counts, and the code of an outage."""
    both = list(zip(texts, outcomes, strict=True))
    done = [(text, outcome) for text, outcome in both if outcome.vector is not None]
    written = write_embedded(spec, done) if done else 0
    refused = [text for text, outcome in both if outcome.error and outcome.error not in INFRASTRUCTURE_ERRORS]
    if refused:
        logger.warning("%d texts of version %d failed by themselves", len(refused), spec.version_key)
        in_transaction(lambda: _leave_to_indexers(spec, refused))
    lost = [outcome.error for outcome in outcomes if outcome.error in INFRASTRUCTURE_ERRORS]
    cached = sum(outcome.cached for _, outcome in done)
    return ChunkCounts(embedded=written, cached=min(cached, written), refused=len(refused)), str(
        lost[0]
    ) if lost else ""


def _leave_to_indexers(spec: ModelSpec, texts: Sequence[ReadText]) -> None:
    model_locks.lock_shared(spec.model_id)
    if registry.is_live(spec.version_key):
        embeddings.mark_pending(sorted(embeddings.lock_embedded(texts)), [spec.version_key])
