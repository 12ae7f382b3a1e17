"""Waves: a run hands out its chunks a few at a time, each wave as one Celery chord whose callback asks for the next.

The rows of the chunks are the truth. A message that is lost, doubled or late changes nothing: the callback moves a run
on only from the wave that it belongs to, and the sweep sends again what lies still.
"""

import logging
from collections.abc import Callable, Sequence

from django.db.models import Q
from django.db.models.functions import Now

from embeddings_app.models import ModelStatus, ReembedChunk, ReembedRun, RunState
from embeddings_app.records import model_locks, reembedding
from embeddings_app.records.transactions import in_transaction
from embeddings_app.services.model_versions.steps import take_step
from embeddings_app.services.reembedding.chunks import PARALLEL_CHUNKS

CHUNK_DOCUMENTS = 512
STALLED_SECONDS = 20.0
"""A run whose chunks were silent for longer is sent again; a working chunk speaks with every batch."""
_ACTOR = "service"
logger = logging.getLogger(__name__)

Send = Callable[[int, int, Sequence[int]], None]
"""Sends the chunks of a wave to workers: key of the run, number of the wave, keys of the chunks."""


def advance(run_key: int, wave: int, send: Send) -> None:
    """Begin the wave after `wave`, or end the run, unless somebody did already, or a restore has taken it away."""
    run = ReembedRun.objects.filter(pk=run_key).first()
    if run is None:
        return
    chunks, complete = in_transaction(lambda: _next_wave(run, wave))
    if chunks:
        send(run_key, wave + 1, chunks)
    elif complete:
        _finish(run, wave)


def tend_runs(send: Send) -> None:
    """Send the unfinished chunks of runs that lie still, and move on runs whose wave is finished. Called every few
    seconds."""
    stalled = ReembedRun.objects.filter(state=RunState.RUNNING).extra(
        where=["progressed_at < now() - make_interval(secs => %s)"], params=[STALLED_SECONDS]
    )
    for run in stalled:
        unfinished = _free_chunks(run)
        if unfinished:
            logger.warning("run %d lay still; %d chunks are sent again", run.pk, len(unfinished))
            ReembedRun.objects.filter(pk=run.pk).update(progressed_at=Now())
            send(run.pk, run.wave, unfinished)
    for run in ReembedRun.objects.filter(state=RunState.RUNNING):
        if not run.chunks.filter(wave=run.wave, finished_at__isnull=True).exists():
            advance(run.pk, run.wave, send)


def _free_chunks(run: ReembedRun) -> list[int]:
    free = run.chunks.filter(Q(lease_until__isnull=True) | Q(lease_until__lt=Now()), finished_at__isnull=True)
    return list(free.filter(wave=run.wave).values_list("pk", flat=True))


def _next_wave(run: ReembedRun, wave: int) -> tuple[list[int], bool]:
    """The keys of the chunks of the next wave, which the transaction makes; and whether all waves are done."""
    if not _lock_between_waves(run, wave):
        return [], False
    keys = reembedding.next_keys(run.model_id, run.reached_key, run.last_key, PARALLEL_CHUNKS * CHUNK_DOCUMENTS)
    if not keys:
        return [], True
    parts = [keys[place : place + CHUNK_DOCUMENTS] for place in range(0, len(keys), CHUNK_DOCUMENTS)]
    made = [ReembedChunk.objects.create(run=run, wave=wave + 1, first_key=part[0], last_key=part[-1]) for part in parts]
    ReembedRun.objects.filter(pk=run.pk).update(wave=wave + 1, reached_key=keys[-1], progressed_at=Now())
    return [chunk.pk for chunk in made], False


def _lock_between_waves(run: ReembedRun, wave: int) -> bool:
    """Lock the run and read it again; whether it still runs, and all of `wave`, its newest wave, is finished."""
    model_locks.lock_shared(run.model_id)
    run.refresh_from_db(from_queryset=ReembedRun.objects.select_for_update())
    unfinished = run.chunks.filter(wave=wave, finished_at__isnull=True)
    return run.state == RunState.RUNNING and run.wave == wave and not unfinished.exists()


def _finish(run: ReembedRun, wave: int) -> None:
    """Move the version to shadow when nothing is missing; else the next call tries again."""
    # The look at all documents may take minutes, and calls come every few seconds: without the lock each would begin
    # one more, until no thread of the indexers is left.
    with model_locks.session_lock(f"finishing:{run.pk}") as held:
        if held:
            _finish_alone(run, wave)


def _finish_alone(run: ReembedRun, wave: int) -> None:
    version = run.model_version
    # First what is known at once: while texts wait, nobody needs to look at all documents.
    if reembedding.any_waiting(version.pk, run.last_key):
        return
    # What a chunk skipped because somebody wrote it at that moment, and whose writer then failed, is found here.
    if in_transaction(lambda: reembedding.any_lacking(run.model_id, version.pk, run.last_key)):
        ReembedRun.objects.filter(pk=run.pk, wave=wave).update(reached_key=0)
        return
    # What was lacking when the look began may have become work since then.
    if not reembedding.any_waiting(version.pk, run.last_key):
        in_transaction(lambda: _end(run, wave))


def _end(run: ReembedRun, wave: int) -> None:
    if _lock_between_waves(run, wave):
        ReembedRun.objects.filter(pk=run.pk).update(state=RunState.FINISHED, ended_at=Now(), problem="")
        take_step(run.model_version, ModelStatus.SHADOW, _ACTOR, f"run {run.pk} has finished")
