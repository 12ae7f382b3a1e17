"""Batches, models and encoders for the tests of the embedding side."""

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np

from embedding_project.broker.redis_clients import broker_client
from embedding_project.contracts.keys import InputType, cache_key
from embedding_project.contracts.messages import EmbedBatch, EmbedItem, EmbedReply, Lane, decode_reply
from embedding_project.contracts.model_spec import ModelSpec
from embedding_project.contracts.vectors import EmbeddedText, Vector
from embedding_project.vector_cache import VectorCache
from tests.unit.workers.models import DIMENSION as DIMENSION
from tests.unit.workers.models import HASHING as HASHING
from tests.unit.workers.models import MINILM as MINILM
from workers.embedder import Embedder
from workers.encoders.base import Encoder, Tokens
from workers.encoders.hashing import HashingEncoder
from workers.model_pool import ModelPool
from workers.outbox import Outbox
from workers.pace import CPU_LIMITS, Pace


def batch(*texts: str, lane: Lane = Lane.INTERACTIVE, model: ModelSpec = HASHING, **changes: Any) -> EmbedBatch:
    built = EmbedBatch(
        batch_id=uuid.uuid4().hex,
        inbox="reply.test",
        lane=lane,
        deadline=time.time() + 30,
        use_cache=True,
        model=model,
        items=tuple(EmbedItem(cache_key=cache_key(model, InputType.QUERY, text), text=text) for text in texts),
    )
    return replace(built, **changes)


class RecordingEncoder(HashingEncoder):
    """Counts what it computes, and fails on request."""

    def __init__(self, fails: Callable[[str], bool] = lambda text: False) -> None:
        super().__init__(DIMENSION, HASHING.max_tokens)
        self.steps: list[int] = []
        self._fails = fails
        self._poison: list[Sequence[int]] = []
        self.not_a_number: list[Sequence[int]] = []

    def tokenize(self, texts: Sequence[str]) -> list[Tokens]:
        tokens = super().tokenize(texts)
        self._poison += [found.ids for found, text in zip(tokens, texts, strict=True) if self._fails(text)]
        self.not_a_number += [found.ids for found, text in zip(tokens, texts, strict=True) if text == "nan"]
        return tokens

    def encode(self, batch: Sequence[Tokens]) -> Vector:
        self.steps.append(len(batch))
        if any(tokens.ids in self._poison for tokens in batch):
            raise RuntimeError("poison")
        vectors = super().encode(batch)
        for row, tokens in enumerate(batch):
            if tokens.ids in self.not_a_number:
                vectors[row] = np.nan
        return vectors


class HeavyEncoder(HashingEncoder):
    """One that seems to have weights, and so a use for cores."""

    memory_bytes = 1

    def __init__(self) -> None:
        super().__init__(DIMENSION, HASHING.max_tokens)


class Setup:
    """An embedder over a real broker, with one encoder for every model."""

    def __init__(self, url: str, encoder: Encoder, threads: int = 1, clock: Callable[[], float] = time.time) -> None:
        self.cores: list[int] = []
        self.redis = broker_client(url)
        self.outbox = Outbox(self.redis)
        self.cache = VectorCache(self.redis, ttl_seconds=60)
        pace = Pace(CPU_LIMITS, threads)
        self.embedder = Embedder(ModelPool(lambda spec: encoder), self.cache, self.outbox, pace, clock)

    def run(self) -> dict[str, EmbedReply]:
        """Compute everything that was admitted; replies by batch id."""
        while self.embedder.step():
            pass
        self.outbox.flush()
        return self.replies()

    def replies(self) -> dict[str, EmbedReply]:
        wires = cast(list[bytes] | None, self.redis.lpop("reply.test", 1000)) or []
        found = [decode_reply(wire) for wire in wires]
        return {reply.batch_id: reply for reply in found if isinstance(reply, EmbedReply)}


def embedded(outcome: bytes | str, dimension: int = DIMENSION) -> EmbeddedText:
    assert isinstance(outcome, bytes), outcome
    found = EmbeddedText.from_frame(outcome, dimension)
    assert found is not None
    return found


def cosine(left: Vector, right: Vector) -> float:
    return float(np.dot(left, right) / (np.linalg.norm(left) * np.linalg.norm(right)))
