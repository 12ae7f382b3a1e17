"""What a model folder that lies costs before it is refused, and what goes on while a model is loaded."""

import json
import os
import resource
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from redis import Redis

from embedding_project.contracts.messages import Lane, Purpose
from embedding_project.contracts.model_spec import ModelSpec
from embedding_project.model_sources.folder_check import check_folder
from embedding_project.model_sources.model_folder import ModelFilesError, model_folder
from tests.integration.workers.test_drainer import eventually, publish, running
from tests.tiny_model import tiny_model, write_model
from tests.unit.threads.faults import Panic
from tests.unit.workers.builders import HASHING, MINILM, RecordingEncoder, Setup, batch
from workers.embedder import MAX_PARKED_ITEMS, Embedder
from workers.encoders.base import Encoder, ModelError, ModelLoading
from workers.encoders.transformer import load_transformer
from workers.model_pool import MAX_LOADS, ModelPool
from workers.pace import CPU_LIMITS, Pace
from workers.service import with_one_core
from workers.tickets import MODEL_UNAVAILABLE

CPU = torch.device("cpu")
SPEC = replace(MINILM, dimension=32, max_tokens=64)
OTHER = replace(HASHING, version_key=2, version=2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small sound model."""
    return write_model(tmp_path / "small", tiny_model(layers=2, positions=512, intermediate=64, spread=0.02))


def configured(folder: Path, **changes: object) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return folder


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"num_hidden_layers": 100_000}, "far more layers|far larger"),
        ({"num_hidden_layers": 10**12}, "num_hidden_layers: 1000000000000"),
        ({"num_labels": 10**10}, "num_labels: 10000000000"),
        ({"vocab_size": 10**9}, "far larger"),
        ({"vocab_size": 10**30}, "describes no model"),
        ({"intermediate_size": 10**9}, "far larger"),
        ({"max_position_embeddings": 10**12}, "far larger"),
        ({"vocab_size": 30_521}, r"word_embeddings.weight of shape \[30521, 32\], the weights have \[30522, 32\]"),
        ({"intermediate_size": 63}, r"of shape \[63, 32\]"),
    ],
)
def test_a_configuration_that_asks_for_other_weights_costs_no_memory(
    folder: Path, changes: dict[str, object], reason: str
) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises((ModelError, ModelFilesError), match=reason):
        load_transformer(SPEC, configured(folder, **changes), CPU)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024  # KiB


def test_weights_that_take_more_than_is_allowed_are_not_read(folder: Path) -> None:
    with pytest.raises(ModelError, match="3 MiB are allowed"):
        load_transformer(SPEC, folder, CPU, most_bytes=3 * 2**20)
    assert load_transformer(SPEC, folder, CPU, most_bytes=8 * 2**20).dimension == 32


def deep(folder: Path) -> None:
    (folder / "tokenizer.json").write_text('{"a":' * 100_000 + "1" + "}" * 100_000)


def far_vocabulary(folder: Path) -> None:
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    tokenizer["model"]["vocab"]["beyond"] = 30_522
    path.write_text(json.dumps(tokenizer))


def endless(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    with (folder / "tokenizer.json").open("wb") as file:
        file.truncate(2**40)


def recursive(folder: Path) -> None:
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    inner = tokenizer["pre_tokenizer"]
    for _ in range(300):
        inner = {"type": "Sequence", "pretokenizers": [inner]}
    path.write_text(json.dumps({**tokenizer, "pre_tokenizer": inner}))


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (deep, "nested too deep"),
        (endless, "larger than"),
        (far_vocabulary, "ids up to 30522, the weights have a row for 30522"),
        (recursive, "recursion"),
        (lambda folder: os.mkfifo(folder / "modules.json"), "not a regular file"),
    ],
)
def test_a_tokenizer_that_no_model_has_is_refused(folder: Path, edit: Callable[[Path], object], reason: str) -> None:
    edit(folder)
    with pytest.raises(Exception, match=reason):
        load_transformer(SPEC, folder, CPU)


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to(path), lambda path: path.symlink_to("gone")])
def test_a_folder_that_holds_what_is_no_file_is_refused(folder: Path, make: Callable[[Path], object]) -> None:
    make(folder / "vocab.txt")
    with pytest.raises(ModelFilesError, match="the model folder holds"):
        model_folder("small", folder.parent)


@pytest.mark.parametrize(
    "spec", [replace(SPEC, query_prompt="query [SEP] "), replace(SPEC, document_prompt="query [SEP] ")]
)
def test_a_prompt_with_a_special_token_in_it_is_refused(folder: Path, spec: ModelSpec) -> None:
    with pytest.raises(ModelError, match=r"holds the special token \[SEP\]"):
        load_transformer(spec, folder, CPU)


def test_texts_are_lowercased_where_the_folder_says_so(folder: Path) -> None:
    path = folder / "tokenizer.json"
    cased = json.loads(path.read_text())
    cased["normalizer"]["lowercase"] = False
    path.write_text(json.dumps(cased))
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    for wanted in (False, True):
        (folder / "sentence_bert_config.json").write_text(json.dumps({"do_lower_case": wanted}))
        encoder = load_transformer(SPEC, folder, CPU)
        upper, lower = encoder.tokenize(["A RED FOX"])[0], encoder.tokenize(["a red fox"])[0]
        assert (list(upper.ids) == list(lower.ids)) is wanted


def test_texts_are_cut_on_the_side_that_the_tokenizer_names(folder: Path) -> None:
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "truncation_side": "left"}))
    encoder = load_transformer(replace(SPEC, max_tokens=5), folder, CPU)
    (cut,), (end,) = encoder.tokenize(["one two three four five"]), encoder.tokenize(["three four five"])
    assert (list(cut.ids), cut.truncated) == (list(end.ids), True)


def test_a_sound_folder_is_accepted(folder: Path) -> None:
    assert len(check_folder(folder, 32)) > 30
    assert load_transformer(SPEC, folder, CPU).dimension == 32


def test_a_load_measures_the_speed_before_the_first_batch_does(valkey_url: str, redis: Redis, folder: Path) -> None:
    encoder = load_transformer(SPEC, folder, CPU)
    assert encoder.first_speed > 0
    setup = setup_with(valkey_url, lambda spec: encoder)
    setup.embedder.admit(batch("a", model=SPEC))
    assert setup.embedder.pace.speeds() == {"minilm@1": encoder.first_speed}


class SlowLoad:
    """Loads one model slowly, all others at once."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.error: BaseException | None = None

    def __call__(self, spec: ModelSpec) -> Encoder:
        if spec == OTHER:
            assert self.release.wait(60)
            if self.error:
                raise self.error
        return RecordingEncoder()


def setup_with(url: str, load: Callable[[ModelSpec], Encoder], clock: Callable[[], float] = time.time) -> Setup:
    setup = Setup(url, RecordingEncoder())
    setup.embedder = Embedder(ModelPool(load), setup.cache, setup.outbox, Pace(CPU_LIMITS), clock)
    return setup


def test_other_models_are_served_while_one_is_loaded(valkey_url: str, redis: Redis) -> None:
    load = SlowLoad()
    setup = setup_with(valkey_url, load)
    slow = [batch("a", model=OTHER), batch("a", "b", model=OTHER, purpose=Purpose.TOKENIZE)]
    quick = [batch("b"), batch("c", lane=Lane.BULK)]
    with running(setup):
        for each in [*slow, *quick]:
            publish(valkey_url, each)
        eventually(lambda: redis.llen("reply.test") == 2)
        assert setup.replies().keys() == {each.batch_id for each in quick}
        load.release.set()
        eventually(lambda: redis.llen("reply.test") == 2)
    assert setup.replies().keys() == {each.batch_id for each in slow}


@pytest.mark.parametrize("error", [ModelError("no weights"), MemoryError(), Panic()])
def test_batches_that_wait_for_a_model_hear_that_it_cannot_be_loaded(
    valkey_url: str, redis: Redis, error: BaseException
) -> None:
    load = SlowLoad()
    load.error = error
    setup = setup_with(valkey_url, load)
    sent = batch("a", "b", model=OTHER)
    setup.embedder.admit(sent)
    assert setup.run() == {}
    load.release.set()
    eventually(lambda: bool(setup.embedder.resume()) or setup.embedder.idle)
    assert setup.run()[sent.batch_id].outcomes == (MODEL_UNAVAILABLE, MODEL_UNAVAILABLE)


def test_a_batch_hears_before_its_deadline_that_its_model_is_still_not_there(valkey_url: str, redis: Redis) -> None:
    load, now = SlowLoad(), time.time()
    setup = setup_with(valkey_url, load, clock=lambda: now)
    sent = batch("a", model=OTHER, deadline=now + 60)
    setup.embedder.admit(sent)
    now = sent.deadline - 0.2
    setup.embedder.drop_expired()
    assert setup.run()[sent.batch_id].outcomes == (MODEL_UNAVAILABLE,)
    assert setup.embedder.idle
    load.release.set()


def test_only_so_many_texts_wait_for_a_model_and_all_go_back_at_a_stop(valkey_url: str, redis: Redis) -> None:
    load = SlowLoad()
    setup = setup_with(valkey_url, load)
    texts = [f"text {number}" for number in range(64)]
    sent = [batch(*texts, model=OTHER) for _ in range(MAX_PARKED_ITEMS // 64 + 1)]
    for each in sent:
        setup.embedder.admit(each, b"raw")
    assert set(setup.run()[sent[-1].batch_id].outcomes) == {MODEL_UNAVAILABLE}
    assert [ticket.batch for ticket in setup.embedder.surrender()] == sent[:-1]
    load.release.set()


def test_only_so_many_models_are_loaded_at_once() -> None:
    release, loading = threading.Event(), []

    def load(spec: ModelSpec) -> Encoder:
        loading.append(spec.version_key)
        release.wait(60)
        return RecordingEncoder()

    pool = ModelPool(load, capacity=8)
    specs = [replace(HASHING, version_key=key) for key in range(MAX_LOADS + 1)]
    for spec in [*specs, *specs]:
        with pytest.raises(ModelLoading):
            pool.get(spec, 0.0)
    eventually(lambda: len(loading) >= MAX_LOADS)
    assert sorted(loading) == list(range(MAX_LOADS))
    release.set()
    pool.get(specs[0])
    eventually(lambda: pool.get(specs[-1]) is not None)


def test_a_load_has_one_core_whatever_the_last_step_had() -> None:
    cores: list[int] = []

    def load(spec: ModelSpec) -> Encoder:
        cores.append(torch.get_num_threads())
        return RecordingEncoder()

    before = torch.get_num_threads()
    try:
        for make in (load, with_one_core(load)):
            step = threading.Thread(target=torch.set_num_threads, args=(2,))
            step.start()
            step.join()
            ModelPool(make).get(HASHING)
    finally:
        torch.set_num_threads(before)
    assert cores == [2, 1]
