"""Who is to blame when nothing comes of a text: the text, or what computes it."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from redis import Redis

from embedding_project.contracts.messages import Purpose
from embedding_project.contracts.tokens import TokenizedText
from embedding_project.contracts.vectors import Vector
from tests.unit.threads.faults import Panic
from tests.unit.workers.builders import DIMENSION, HASHING, Setup, batch, embedded
from workers.encoders.base import DeviceLost, Tokens
from workers.encoders.hashing import HashingEncoder, HashingVocabulary
from workers.offenders import MAX_FAILURES
from workers.tickets import MODEL_ERROR, MODEL_UNAVAILABLE

TEXTS = [f"text {number}" for number in range(32)]


class Device(HashingEncoder):
    """Computes on a device that may be out of order."""

    def __init__(self, fault: BaseException | None) -> None:
        super().__init__(DIMENSION, HASHING.max_tokens)
        self.fault = fault
        self.fails: Callable[[Tokens], bool] = lambda _: True
        self.passes = 0

    def encode(self, batch: Sequence[Tokens]) -> Vector:
        self.passes += 1
        if self.fault and any(map(self.fails, batch)):
            raise self.fault
        return super().encode(batch)


class NoNumbers(Device):
    def encode(self, batch: Sequence[Tokens]) -> Vector:
        return np.full((len(batch), DIMENSION), np.nan, np.float32)


FAULTS = [
    torch.OutOfMemoryError("CUDA out of memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED"),
    MemoryError(),
    OSError("Cannot allocate memory"),
    Panic(),
]


@pytest.mark.parametrize("fault", FAULTS, ids=repr)
def test_a_device_that_computes_nothing_is_the_fault_of_no_text(
    valkey_url: str, redis: Redis, fault: BaseException
) -> None:
    device = Device(fault)
    setup = Setup(valkey_url, device)
    for _ in range(MAX_FAILURES):
        sent = batch(*TEXTS)
        setup.embedder.admit(sent)
        assert set(setup.run()[sent.batch_id].outcomes) == {MODEL_UNAVAILABLE}
    assert device.passes < MAX_FAILURES * 10
    device.fault = None
    sent = batch(*TEXTS)
    setup.embedder.admit(sent)
    assert all(isinstance(outcome, bytes) for outcome in setup.run()[sent.batch_id].outcomes)


def test_a_device_that_gives_no_numbers_is_the_fault_of_no_text(valkey_url: str, redis: Redis) -> None:
    setup = Setup(valkey_url, NoNumbers(None))
    sent = batch("a", "b")
    setup.embedder.admit(sent)
    assert setup.run()[sent.batch_id].outcomes == (MODEL_UNAVAILABLE, MODEL_UNAVAILABLE)


@pytest.mark.parametrize("fault", [torch.OutOfMemoryError("CUDA out of memory"), Panic()], ids=repr)
def test_a_text_that_the_device_cannot_compute_fails_alone(valkey_url: str, redis: Redis, fault: BaseException) -> None:
    device = Device(fault)
    device.fails = lambda tokens: len(tokens) > 8
    setup = Setup(valkey_url, device)
    sent = batch("short", "long " * 9, "short too")
    setup.embedder.admit(sent)
    first, long, last = setup.run()[sent.batch_id].outcomes
    assert long == MODEL_ERROR
    assert (embedded(first).tokens, embedded(last).tokens) == (1, 2)


class PanickingTokenizer(HashingEncoder):
    def tokenize(self, texts: Sequence[str]) -> list[Tokens]:
        if "poison" in texts:
            raise Panic
        return super().tokenize(texts)


def test_a_text_that_makes_the_tokenizer_panic_fails_alone(valkey_url: str, redis: Redis) -> None:
    setup = Setup(valkey_url, PanickingTokenizer(DIMENSION, HASHING.max_tokens))
    sent = batch("first", "poison", "last one")
    setup.embedder.admit(sent)
    first, poison, last = setup.run()[sent.batch_id].outcomes
    assert poison == MODEL_ERROR
    assert (embedded(first).tokens, embedded(last).tokens) == (1, 2)


def test_a_device_that_is_lost_ends_the_embedder(valkey_url: str, redis: Redis) -> None:
    setup = Setup(valkey_url, Device(DeviceLost("AcceleratorError")))
    setup.embedder.admit(batch("a", "b"))
    with pytest.raises(DeviceLost):
        setup.run()


class FullVocabulary(HashingVocabulary):
    def describe(self, texts: Sequence[str]) -> list[TokenizedText]:
        raise MemoryError


class WithoutMemory(Device):
    """Cannot even read a text."""

    def __init__(self) -> None:
        super().__init__(None)
        self.vocabulary = FullVocabulary(HASHING.max_tokens)

    def tokenize(self, texts: Sequence[str]) -> list[Tokens]:
        raise MemoryError


@pytest.mark.parametrize("purpose", Purpose)
def test_memory_that_ends_while_texts_are_read_is_the_fault_of_no_text(
    valkey_url: str, redis: Redis, purpose: Purpose
) -> None:
    setup = Setup(valkey_url, WithoutMemory())
    for _ in range(MAX_FAILURES + 1):
        sent = batch("a", "b", purpose=purpose)
        setup.embedder.admit(sent)
        assert setup.run()[sent.batch_id].outcomes == (MODEL_UNAVAILABLE, MODEL_UNAVAILABLE)
