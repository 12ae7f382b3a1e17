"""Documents that exist get vectors of a new version, and nothing that happens meanwhile is lost or overwritten."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from django.db import connection, transaction

from embedding_project.contracts.errors import ServiceError
from embedding_project.contracts.model_spec import ModelSpec
from embeddings_app import registry
from embeddings_app.models import ModelRegistry, Namespace, ReembedChunk, ReembedRun
from embeddings_app.records import model_locks
from embeddings_app.records.reembedding import run_counts
from embeddings_app.services.documents.deleting import delete
from embeddings_app.services.embedding.embed import EmbedOutcome
from embeddings_app.services.model_versions.indexes import clear_ended_versions
from embeddings_app.services.model_versions.switching import switch
from embeddings_app.services.reembedding import runs
from embeddings_app.services.reembedding.chunks import work_on_chunk
from embeddings_app.services.reembedding.estimating import estimate
from embeddings_app.services.reembedding.waves import advance, tend_runs
from tests.integration.indexing_steps import (
    embed,
    embedded,
    failing,
    in_thread,
    index,
    make_due,
    rows,
)
from tests.integration.reembedding_steps import (
    ACTOR,
    SPACE,
    UNMEASURED,
    Versions,
    forget_model,
    new_model,
    next_chunks,
    rewrite,
    start,
    status,
    vectors,
    work,
    write,
)

POISON = "poison"


@pytest.fixture
def versions(database: str) -> Iterator[Versions]:
    found = new_model()
    yield found
    forget_model(found[0])


def test_a_run_fills_the_version_and_a_switch_lets_it_answer(versions: Versions) -> None:
    first, second = versions
    write(first, "a", "b", "c")
    index()
    run = start(second)
    work(run)
    assert (run.state, status(second)) == ("finished", "shadow")
    assert vectors(second) == {"a": 1, "b": 1, "c": 1}
    assert run_counts(run.pk).embedded == 3
    switch(second, ACTOR, reason=UNMEASURED, override=True)
    assert (status(first), status(second)) == ("standby", "active")
    assert registry.active_spec(first.model_id).version == 2


def test_writes_during_the_run_reach_both_versions(versions: Versions) -> None:
    first, second = versions
    write(first, "a", "b")
    index()
    run = start(second)
    chunks = next_chunks(run)
    write(first, "new")
    rewrite(first, "a", "another text")
    delete(SPACE, "b")
    for chunk in chunks:
        work_on_chunk(chunk, embed)
    work(run)
    index()
    work(run)
    assert run.state == "finished"
    assert vectors(first) == vectors(second) == {"a": 2, "new": 1}


def test_an_upsert_that_began_before_the_run_is_not_lost(versions: Versions) -> None:
    """It has read the live versions, and commits only after somebody asked for the run."""
    first, second = versions
    write(first, "old")
    index()
    waiting = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            model_locks.lock_shared(first.model_id)
            live = registry.live_specs(first.model_id)
            started = pool.submit(in_thread, lambda: (waiting.set(), start(second))[1])
            assert waiting.wait(60)
            write(first, "early")
            assert [spec.version for spec in live] == [1]
            assert not started.done()
        run = started.result(60)
    index()
    work(run)
    assert vectors(second) == {"old": 1, "early": 1}


def test_a_document_that_is_deleted_while_its_chunk_is_embedded_stays_deleted(versions: Versions) -> None:
    first, second = versions
    write(first, "a", "b")
    index()
    run = start(second)

    def deleting(spec: ModelSpec, texts: Sequence[str]) -> list[EmbedOutcome]:
        delete(SPACE, "a")
        return embed(spec, texts)

    work(run, deleting)
    assert vectors(second) == {"b": 1}
    assert rows("SELECT count(*) FROM embedding_record r JOIN document d ON d.id = r.document_id WHERE d.deleted") == [
        (0,)
    ]


def test_a_late_chunk_does_not_overwrite_a_newer_text(versions: Versions) -> None:
    first, second = versions
    write(first, "a")
    index()
    run = start(second)

    def overtaken(spec: ModelSpec, texts: Sequence[str]) -> list[EmbedOutcome]:
        rewrite(first, "a", "newer")
        index()
        return embed(spec, texts)

    work(run, overtaken)
    assert vectors(second) == {"a": 2}


def test_a_finished_chunk_is_not_embedded_again(versions: Versions) -> None:
    first, second = versions
    write(first, "a", "b")
    index()
    run = start(second)
    (chunk,) = next_chunks(run)
    assert work_on_chunk(chunk, embed)
    assert work_on_chunk(chunk, lambda *_: pytest.fail("embedded again"))


def test_a_chunk_that_somebody_works_on_is_left_alone(versions: Versions) -> None:
    first, second = versions
    write(first, "a")
    index()
    (chunk,) = next_chunks(start(second))
    nested: list[bool] = []

    def twice(spec: ModelSpec, texts: Sequence[str]) -> list[EmbedOutcome]:
        nested.append(work_on_chunk(chunk, lambda *_: pytest.fail("embedded twice")))
        return embed(spec, texts)

    assert work_on_chunk(chunk, twice)
    assert nested == [False]


def test_a_callback_that_runs_twice_begins_one_wave(versions: Versions) -> None:
    first, second = versions
    write(first, "a")
    index()
    run = start(second)
    sent: list[tuple[int, int]] = []
    for _ in range(2):
        advance(run.pk, 0, lambda key, wave, _: sent.append((key, wave)))
    assert sent == [(run.pk, 1)]
    assert ReembedChunk.objects.filter(run=run).count() == 1


def test_one_process_at_a_time_looks_whether_a_run_has_finished(versions: Versions, database: str) -> None:
    """It reads all documents, which may take longer than the time between two calls."""
    first, second = versions
    write(first, "a")
    index()
    run = start(second)
    (chunk,) = next_chunks(run)
    assert work_on_chunk(chunk, embed)
    with psycopg.connect(database) as other:
        other.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [f"finishing:{run.pk}"])
        tend_runs(lambda *_: None)
        assert status(second) == "backfilling"
    tend_runs(lambda *_: None)
    assert status(second) == "shadow"


def test_a_wave_whose_messages_are_lost_is_sent_again(versions: Versions) -> None:
    first, second = versions
    write(first, "a")
    index()
    run = start(second)
    chunks = next_chunks(run)
    sent: list[list[int]] = []
    tend_runs(lambda _run, _wave, keys: sent.append(list(keys)))
    assert sent == []
    with connection.cursor() as cursor:
        cursor.execute("UPDATE reembed_run SET progressed_at = now() - interval '1 hour'")
    tend_runs(lambda _run, _wave, keys: sent.append(list(keys)))
    assert sent == [chunks]


def test_an_outage_costs_no_document(versions: Versions) -> None:
    first, second = versions
    write(first, "a")
    index()
    run = start(second)
    (chunk,) = next_chunks(run)
    assert not work_on_chunk(chunk, lambda _, texts: failing("embedder_unavailable", len(texts)), lambda _: None)
    run.refresh_from_db()
    assert run.problem == "embedder_unavailable"
    assert work_on_chunk(chunk, embed)
    work(run)
    assert (run.state, run.problem, vectors(second)) == ("finished", "", {"a": 1})


def poisoned(spec: ModelSpec, texts: Sequence[str]) -> list[EmbedOutcome]:
    return [failing("model_error", 1)[0] if text == POISON else embedded(text, spec.dimension) for text in texts]


def test_a_text_that_always_fails_is_listed_and_the_run_goes_on(versions: Versions) -> None:
    first, second = versions
    write(first, "a", POISON, "b")
    index()
    run = start(second)
    work(run, poisoned)
    assert run.state == "running"
    for _ in range(3):
        make_due()
        index(poisoned)
    work(run, poisoned)
    assert (run.state, vectors(second)) == ("finished", {"a": 1, "b": 1})
    assert run_counts(run.pk).refused == 1
    states = "SELECT state, last_error FROM embedding_record WHERE model_version_id = %s AND state <> 'ready'"
    assert rows(states, second.pk) == [("quarantined", "model_error")]


def test_documents_whose_text_is_not_kept_are_counted_and_come_back_when_they_are_sent(
    versions: Versions,
) -> None:
    first, second = versions
    Namespace.objects.create(name="unkept", model_id=first.model_id, store_text=False)
    write(first, "secret", namespace="unkept")
    write(first, "a")
    index()
    assert estimate(second).without_text == 0.5
    run = start(second)
    work(run)
    assert (run.state, run_counts(run.pk).not_kept) == ("finished", 1)
    assert vectors(second) == {"a": 1}
    write(first, "secret", namespace="unkept")
    index()
    assert vectors(second) == {"a": 1, "secret": 2}
    assert rows("SELECT count(*) FROM document WHERE text = 'secret'") == [(0,)]


def test_a_namespace_that_is_made_during_the_run_is_in_both_versions(versions: Versions) -> None:
    first, second = versions
    write(first, "a")
    index()
    run = start(second)
    write(first, "elsewhere", namespace="made-meanwhile")
    index()
    work(run)
    assert vectors(first) == vectors(second) == {"a": 1, "elsewhere": 1}


def test_a_paused_run_stops_after_its_batch_and_goes_on(versions: Versions) -> None:
    first, second = versions
    write(first, "a", "b")
    index()
    run = start(second, documents_per_second=4.0)
    (chunk,) = next_chunks(run)

    def pausing(spec: ModelSpec, texts: Sequence[str]) -> list[EmbedOutcome]:
        runs.pause(run, ACTOR)
        return embed(spec, texts)

    assert not work_on_chunk(chunk, pausing, lambda _: None)
    assert (run.state, len(vectors(second))) == ("paused", 1)
    assert next_chunks(run) == [chunk]
    runs.resume(run, ACTOR)
    work_on_chunk(chunk, embed, lambda _: None)
    work(run)
    assert run.state == "finished"


def test_a_cancelled_run_leaves_nothing_and_can_be_started_again(versions: Versions) -> None:
    first, second = versions
    write(first, "a", "b")
    index()
    run = start(second)
    (chunk,) = next_chunks(run)

    def cancelled_meanwhile(spec: ModelSpec, texts: Sequence[str]) -> list[EmbedOutcome]:
        runs.cancel(run, ACTOR, "a mistake")
        return embed(spec, texts)

    assert not work_on_chunk(chunk, cancelled_meanwhile, lambda _: None)
    assert (run.state, status(second), vectors(second)) == ("cancelled", "probed", {})
    with pytest.raises(ServiceError, match="still being removed"):
        start(second)
    assert not clear_ended_versions(60.0)
    again = start(second)
    work(again)
    assert (again.state, vectors(second)) == ("finished", {"a": 1, "b": 1})


def test_a_model_has_one_run_at_a_time(versions: Versions) -> None:
    first, second = versions
    write(first, "a")
    third = ModelRegistry.objects.create(
        model_id=first.model_id, version=3, type="transformers", artifact="hashing", dimension=8, status="probed"
    )
    start(second)
    with pytest.raises(ServiceError, match="is open already") as refusal:
        start(third)
    assert refusal.value.code == "illegal_step"
    assert status(third) == "probed"
    assert not ModelRegistry.objects.filter(pk=third.pk, status="backfilling").exists()


def test_only_a_probed_version_is_started(versions: Versions) -> None:
    _, second = versions
    ModelRegistry.objects.filter(pk=second.pk).update(status="draft")
    second.refresh_from_db()
    with pytest.raises(ServiceError, match="probe it"):
        start(second)


def test_a_run_that_is_gone_is_not_found(database: str) -> None:
    with pytest.raises(ServiceError, match="there is no run 0"):
        runs.find_run(0)
    assert not ReembedRun.objects.filter(pk=0).exists()
