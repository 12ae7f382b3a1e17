"""The hottest query texts: counted, merged, halved, forgotten, and embedded ahead of a switch."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from embedding_project.config import load_config
from embedding_project.contracts.keys import InputType, cache_key
from embedding_project.contracts.model_spec import ModelType
from embedding_project.contracts.vectors import EmbeddedText
from embeddings_app import registry
from embeddings_app.models import HotTexts as StoredTexts
from embeddings_app.models import JobState, ModelRegistry, ModelStatus
from embeddings_app.records.hot_texts import forget_all
from embeddings_app.services.embedding import hot_texts
from embeddings_app.services.embedding.cache import cached_vectors
from embeddings_app.services.embedding.hot_texts import (
    KEPT_TEXTS,
    MAX_CHARACTERS,
    HotTexts,
    halve_due,
    hottest_texts,
    merge,
)
from embeddings_app.services.embedding.requests import EmbedRequest, embed
from embeddings_app.services.embedding.warming import warm_version
from embeddings_app.services.jobs.running import run_job
from embeddings_app.services.jobs.warm_versions import WARM_VERSIONS
from supervisor.process import last_steps
from supervisor.roles import role_table
from tests.conftest import ROOT
from tests.integration.indexing_steps import rows, until_cached
from tests.integration.reembedding_steps import forget_model, new_model

MODEL = "all-MiniLM-L6-v2"


@pytest.fixture(autouse=True)
def nothing_stored(database: str) -> Iterator[None]:
    forget_all()
    yield
    forget_all()


def ask(counter: HotTexts, model_id: str = MODEL, **times: int) -> None:
    for text, count in times.items():
        counter.count(model_id, [text] * count)


def test_the_counts_of_all_processes_add_up() -> None:
    first, second = HotTexts(), HotTexts()
    ask(first, weather=3, news=5)
    ask(second, weather=4)
    ask(second, "another model", sports=1)
    merge(first.take())
    merge(second.take())
    assert hottest_texts(MODEL, 10) == ["weather", "news"]
    assert hottest_texts(MODEL, 1) == ["weather"]
    assert hottest_texts("another model", 10) == ["sports"]
    assert hottest_texts("no model", 10) == []
    assert first.take() == {}


@pytest.mark.parametrize(("kind", "counted"), [(InputType.QUERY, True), (InputType.DOCUMENT, False)])
def test_what_clients_ask_to_embed_counts_when_it_is_a_query(kind: InputType, counted: bool) -> None:
    spec, text = registry.active_spec(MODEL), f"embedded as {kind}"
    vector = EmbeddedText(np.ones(spec.dimension, np.float32), tokens=3, truncated=False)
    until_cached(spec, cache_key(spec, kind, text), vector.to_frame())
    hot_texts.counted_here().take()
    embed(EmbedRequest(model_id=None, texts=(text,), input_type=kind, normalize=None))
    assert [summary.top(5) for summary in hot_texts.counted_here().take().values()] == ([[text]] if counted else [])


def test_what_is_stored_is_bounded_and_the_hot_ones_stay() -> None:
    for process in range(3):
        counter = HotTexts()
        counter.count(MODEL, ["hot"] * 50)
        counter.count(MODEL, [f"rare {process} {number}" for number in range(KEPT_TEXTS)])
        counter.count(MODEL, ["x" * (MAX_CHARACTERS + 1)] * 100)
        merge(counter.take())
    assert hottest_texts(MODEL, 1) == ["hot"]
    assert len(hottest_texts(MODEL, 10 * KEPT_TEXTS)) <= KEPT_TEXTS


def test_counts_are_halved_once_a_day_and_unknown_models_are_forgotten() -> None:
    counter = HotTexts()
    ask(counter, weather=8, once=1)
    ask(counter, "gone", weather=8)
    merge(counter.take())
    assert halve_due() == 0
    assert hottest_texts("gone", 10) == []
    rows("UPDATE hot_texts SET halved_at = now() - interval '25 hours' RETURNING 1")
    assert halve_due() == 1
    assert halve_due() == 0
    assert StoredTexts.objects.get(model_id=MODEL).summary["counts"] == {"weather": 4.0}


@pytest.fixture
def embedder(tmp_path: Path) -> Iterator[None]:
    spec = next(spec for spec in role_table(load_config(), os.environ) if spec.name == "embedder-0")
    env = {**spec.env, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    ending = last_steps(os.getpid(), signal.SIGKILL, nice=0)
    with subprocess.Popen(spec.argv, env=env, cwd=ROOT, preexec_fn=ending) as process:  # noqa: PLW1509
        yield
        process.terminate()


@pytest.mark.usefixtures("redis", "embedder")
def test_a_version_in_shadow_finds_the_hot_queries_in_the_cache() -> None:
    first, second = new_model()
    try:
        counter = HotTexts()
        ask(counter, first.model_id, weather=3, news=2)
        merge(counter.take())
        ModelRegistry.objects.filter(pk=second.pk).update(artifact="hashing:", status=ModelStatus.BACKFILLING)
        ModelRegistry.objects.filter(pk=second.pk).update(status=ModelStatus.SHADOW)
        give_up = time.monotonic() + 120
        while not warmed(second, "weather", "news"):
            assert time.monotonic() < give_up
            run_job(replace(WARM_VERSIONS, run_seconds=10.0))
        again = warm_version(registry.spec_of(second), 1, 10.0)
        assert (again.cached, again.embedded, again.failed) == (1, 0, ())
        assert not warmed(first, "weather")
        assert warmed_result() == {str(second): "2 in the cache, 0 embedded"}
    finally:
        forget_model(first)


def warmed_result() -> dict[str, str]:
    run_job(WARM_VERSIONS)
    result: dict[str, str] = JobState.objects.get(job=WARM_VERSIONS.name).result
    return result


def warmed(version: ModelRegistry, *texts: str) -> bool:
    spec = registry.spec_of(version)
    keys = [cache_key(spec, InputType.QUERY, text) for text in texts]
    return set(cached_vectors().find(spec, keys)) == set(keys)


def test_warming_ends_in_time_when_no_embedder_answers() -> None:
    counter = HotTexts()
    ask(counter, weather=3)
    merge(counter.take())
    began = time.monotonic()
    done = warm_version(registry.active_spec(MODEL), 10, 1.0)
    # Else it would be the minute that a batch may take.
    assert time.monotonic() - began < 45.0
    assert (done.cached, done.embedded, len(done.failed)) == (0, 0, 1)


def test_vectors_of_clients_cannot_be_made_ahead() -> None:
    spec = replace(registry.active_spec(MODEL), type=ModelType.EXTERNAL)
    assert warm_version(spec, 10, 1.0).embedded == 0
