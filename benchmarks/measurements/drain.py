"""What an embedder costs besides its model: prepared messages through a real broker to one that only hashes words."""

import base64
import json
import time
import uuid
from collections.abc import Sequence
from dataclasses import replace
from statistics import median
from typing import Any, cast

import msgpack
from redis import Redis

from benchmarks import corpus
from benchmarks.errors import BenchmarkError
from benchmarks.latency import summarize
from benchmarks.own_instance import OwnInstance, own_directory, own_instance
from benchmarks.process_cpu import cpu_seconds
from benchmarks.report import Figure, Goal
from embedding_project.broker.redis_clients import broker_client
from embedding_project.contracts.keys import InputType, cache_key
from embedding_project.contracts.limits import EMBED_BATCH_ITEMS
from embedding_project.contracts.messages import EmbedBatch, EmbedItem, Lane
from embedding_project.contracts.model_spec import PACKAGED_MODEL

_ROUNDS = 5
_ITEMS_A_ROUND = 20_480
_LONE_TEXTS = 300
_PAUSE_SECONDS = 0.01
_QUEUES = {Lane.INTERACTIVE: "embed.interactive", Lane.BULK: "embed.bulk"}
_TASK = "workers.embed_texts"
_INBOX = "reply.benchmark"
_EMBEDDER = "embedder-0"
_WAIT_SECONDS = 20.0
_MODEL = replace(PACKAGED_MODEL, version_key=1_000_000, model_id="hashes", version=1, artifact="hashing:")


def measure() -> list[Figure]:
    words = corpus.short_texts(_ITEMS_A_ROUND)
    with own_directory() as folder, own_instance(folder, environ={"EMBEDDERS": "1"}) as instance:
        broker = broker_client(instance.setting("REDIS_URL"), timeout_seconds=_WAIT_SECONDS + 2)
        _answered(broker, Lane.BULK, _messages(words, Lane.BULK, EMBED_BATCH_ITEMS))  # warm up
        full = [_round(instance, broker, words, Lane.BULK, EMBED_BATCH_ITEMS) for _ in range(_ROUNDS)]
        single = [_round(instance, broker, words[: _ITEMS_A_ROUND // 10], Lane.INTERACTIVE, 1) for _ in range(_ROUNDS)]
        lone = summarize([_lone(broker, message) for message in _messages(words[:_LONE_TEXTS], Lane.INTERACTIVE, 1)])
    mean_words = sum(len(text.split()) for text in words) / len(words)
    note = f"median of {_ROUNDS}, texts of {mean_words:.0f} words"
    return [
        Figure(
            f"{EMBED_BATCH_ITEMS} a message",
            median(rate for rate, _ in full),
            "items/s",
            Goal(10_000, at_least=True),
            note,
        ),
        Figure("processor time of the embedder", median(cost for _, cost in full), "us/item", Goal(40, at_least=False)),
        Figure("1 a message", median(rate for rate, _ in single), "items/s"),
        Figure("processor time of the embedder, 1 a message", median(cost for _, cost in single), "us/item"),
        Figure(
            "one text, idle, there and back, p50", lone.p50_ms, "ms", Goal(1, at_least=False), f"p99 {lone.p99_ms:.2f}"
        ),
    ]


def _round(
    instance: OwnInstance, broker: Redis, words: Sequence[str], lane: Lane, items_a_message: int
) -> tuple[float, float]:
    """Items a second, and microseconds of the embedder's processor time an item."""
    messages = _messages(words, lane, items_a_message)
    before = cpu_seconds(instance.var)[_EMBEDDER]
    seconds = _answered(broker, lane, messages)
    cost = cpu_seconds(instance.var)[_EMBEDDER] - before
    return len(words) / seconds, 1e6 * cost / len(words)


def _messages(words: Sequence[str], lane: Lane, items_a_message: int) -> list[bytes]:
    """Messages as the dispatcher sends them. No text was ever sent before: nothing is in the cache."""
    name = uuid.uuid4().hex
    texts = [f"{text} {name}{number}" for number, text in enumerate(words)]
    groups = (texts[start : start + items_a_message] for start in range(0, len(texts), items_a_message))
    return [_message(group, lane) for group in groups]


def _message(texts: Sequence[str], lane: Lane) -> bytes:
    batch = EmbedBatch(
        batch_id=uuid.uuid4().hex,
        inbox=_INBOX,
        lane=lane,
        deadline=time.time() + 600,
        use_cache=True,
        model=_MODEL,
        items=tuple(EmbedItem(cache_key=cache_key(_MODEL, InputType.DOCUMENT, text), text=text) for text in texts),
    )
    return _celery_form(batch)


def _celery_form(batch: EmbedBatch) -> bytes:
    """What Celery puts into the queue for `batch`."""
    body = base64.b64encode(msgpack.packb(((batch.to_wire(),), {}, {"callbacks": None}))).decode()
    message = {
        "body": body,
        "content-encoding": "binary",
        "content-type": "application/x-msgpack",
        "headers": {"lang": "py", "task": _TASK, "id": batch.batch_id, "argsrepr": "-", "kwargsrepr": "-"},
        "properties": {"correlation_id": batch.batch_id, "delivery_mode": 2, "body_encoding": "base64"},
    }
    return json.dumps(message).encode()


def _answered(broker: Redis, lane: Lane, messages: Sequence[bytes]) -> float:
    """Seconds until every one of `messages`, sent all at once, has its reply."""
    began = time.perf_counter()
    broker.lpush(_QUEUES[lane], *messages)
    left = len(messages)
    while left:
        left -= len(_replies(broker))
    return time.perf_counter() - began


def _lone(broker: Redis, message: bytes) -> float:
    """Milliseconds from sending `message` to an idle embedder to its reply."""
    time.sleep(_PAUSE_SECONDS)
    began = time.perf_counter()
    broker.lpush(_QUEUES[Lane.INTERACTIVE], message)
    _replies(broker)
    return 1000 * (time.perf_counter() - began)


def _replies(broker: Redis) -> list[Any]:
    popped = broker.blmpop(_WAIT_SECONDS, 1, _INBOX, direction="LEFT", count=64)
    if not popped:
        raise BenchmarkError(f"no reply within {_WAIT_SECONDS:.0f} s")
    return cast(list[Any], cast(list[Any], popped)[1])
