"""What happens to a batch between admission and reply."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from redis import Redis

from embedding_project.broker.redis_clients import broker_client
from embedding_project.contracts.errors import ERROR_KINDS
from embedding_project.contracts.messages import Lane
from embedding_project.contracts.model_spec import ModelSpec
from embedding_project.vector_cache import VectorCache
from tests.unit.workers.builders import HASHING, HeavyEncoder, RecordingEncoder, Setup, batch, cosine, embedded
from workers.embedder import Embedder
from workers.encoders.base import Encoder, ModelError
from workers.encoders.hashing import HashingEncoder
from workers.model_pool import ModelPool
from workers.outbox import Outbox
from workers.pace import CPU_LIMITS, Pace
from workers.tickets import MODEL_ERROR, MODEL_UNAVAILABLE, NOT_COMPUTED


@pytest.fixture
def encoder() -> RecordingEncoder:
    return RecordingEncoder(fails=lambda text: text.startswith("poison"))


@pytest.fixture
def setup(valkey_url: str, redis: Redis, encoder: RecordingEncoder) -> Setup:
    return Setup(valkey_url, encoder)


def test_outcomes_come_in_the_order_of_the_items(setup: Setup) -> None:
    texts = ["one", "a much longer text of seven words", "two two"]
    sent = batch(*texts)
    setup.embedder.admit(sent)
    outcomes = setup.run()[sent.batch_id].outcomes
    plain = HashingEncoder(HASHING.dimension, HASHING.max_tokens)
    for text, outcome in zip(texts, outcomes, strict=True):
        tokens = plain.tokenize([text])
        assert cosine(embedded(outcome).vector, plain.encode(tokens)[0]) > 0.9999
        assert embedded(outcome).tokens == len(tokens[0])


def test_a_text_longer_than_the_model_is_marked_truncated(setup: Setup) -> None:
    sent = batch("word " * 17, "word " * 16)
    setup.embedder.admit(sent)
    long, fitting = map(embedded, setup.run()[sent.batch_id].outcomes)
    assert (long.tokens, long.truncated) == (16, True)
    assert (fitting.tokens, fitting.truncated) == (16, False)


def test_equal_texts_that_wait_together_are_computed_once(setup: Setup, encoder: RecordingEncoder) -> None:
    first, second = batch("same", "other", "same"), batch("same")
    setup.embedder.admit(first)
    setup.embedder.admit(second)
    replies = setup.run()
    assert sum(encoder.steps) == 2
    assert replies[first.batch_id].outcomes[0] == replies[first.batch_id].outcomes[2]
    assert replies[second.batch_id].outcomes == replies[first.batch_id].outcomes[:1]


def test_a_poisonous_text_fails_alone(setup: Setup, encoder: RecordingEncoder) -> None:
    texts = [f"text {number}" for number in range(30)]
    texts[13] = "poison a"
    texts[21] = "poison b"
    sent = batch(*texts)
    setup.embedder.admit(sent)
    outcomes = setup.run()[sent.batch_id].outcomes
    assert [position for position, outcome in enumerate(outcomes) if outcome == MODEL_ERROR] == [13, 21]
    assert MODEL_ERROR in ERROR_KINDS


def test_a_vector_that_is_not_finite_is_an_error_and_never_cached(setup: Setup) -> None:
    sent = batch("nan", "fine")
    setup.embedder.admit(sent)
    outcomes = setup.run()[sent.batch_id].outcomes
    assert outcomes[0] == MODEL_ERROR
    cached = setup.cache.get_many([item.cache_key for item in sent.items], HASHING.dimension)
    assert cached[0] is None
    assert cached[1] is not None
    assert np.array_equal(cached[1].vector, embedded(outcomes[1]).vector)


def test_the_cache_is_left_alone_when_the_batch_says_so(setup: Setup) -> None:
    sent = batch("private", use_cache=False)
    setup.embedder.admit(sent)
    setup.run()
    assert setup.cache.get_many([sent.items[0].cache_key], HASHING.dimension) == [None]


def test_an_expired_batch_is_dropped_before_it_is_computed(setup: Setup, encoder: RecordingEncoder) -> None:
    setup.embedder.admit(batch("late", deadline=time.time() - 1))
    assert setup.run() == {}
    assert encoder.steps == []


def test_a_batch_that_expires_while_it_waits_is_not_computed(setup: Setup, encoder: RecordingEncoder) -> None:
    expiring, lasting = batch("mine", "ours", deadline=time.time() + 0.05), batch("ours")
    setup.embedder.admit(expiring)
    setup.embedder.admit(lasting)
    time.sleep(0.06)
    assert list(setup.run()) == [lasting.batch_id]
    assert encoder.steps == [1]


def test_a_bulk_batch_that_is_not_finished_in_time_is_answered_with_what_is(valkey_url: str, redis: Redis) -> None:
    """Else all of it would be lost, and tried again, on a machine that is too slow for all of it."""
    now, texts = time.time(), [f"{'word ' * HASHING.max_tokens}{number}" for number in range(64)]
    setup = Setup(valkey_url, RecordingEncoder(), clock=lambda: now)
    bulk = batch(*texts, lane=Lane.BULK, deadline=now + 15)
    setup.embedder.admit(bulk)
    setup.embedder.step()
    now = bulk.deadline - 1
    setup.embedder.drop_expired()
    setup.outbox.flush()
    replies = setup.replies()
    assert list(replies) == [bulk.batch_id]
    assert {type(outcome) for outcome in replies[bulk.batch_id].outcomes} == {bytes, str}
    assert set(replies[bulk.batch_id].outcomes) & set(ERROR_KINDS) == {NOT_COMPUTED}


def test_interactive_texts_are_computed_before_bulk(setup: Setup) -> None:
    bulk = batch(*[f"bulk {number}" for number in range(64)], lane=Lane.BULK)
    interactive = batch("quick")
    setup.embedder.admit(bulk)
    setup.embedder.admit(interactive)
    setup.embedder.step()
    setup.outbox.flush()
    assert list(setup.replies()) == [interactive.batch_id]


def test_bulk_gets_its_turn_beside_steady_interactive_load(setup: Setup) -> None:
    bulk = batch("patient", lane=Lane.BULK)
    setup.embedder.admit(bulk)
    for number in range(9):
        setup.embedder.admit(batch(f"quick {number}"))
        setup.embedder.step()
    setup.outbox.flush()
    assert bulk.batch_id in setup.replies()


def test_there_is_room_for_a_bounded_number_of_items_per_lane(setup: Setup) -> None:
    assert setup.embedder.room(Lane.BULK) == CPU_LIMITS.window
    setup.embedder.admit(batch(*[f"bulk {item}" for item in range(CPU_LIMITS.window - 1)], lane=Lane.BULK))
    assert setup.embedder.room(Lane.BULK) == 1
    setup.embedder.admit(batch(*[f"more {item}" for item in range(64)], lane=Lane.BULK))
    assert setup.embedder.room(Lane.BULK) == 0
    assert setup.embedder.room(Lane.INTERACTIVE) == CPU_LIMITS.window
    setup.run()
    assert setup.embedder.room(Lane.BULK) == CPU_LIMITS.window


def test_few_long_texts_leave_no_room_either(setup: Setup) -> None:
    long = "word " * HASHING.max_tokens
    setup.embedder.admit(batch(*[f"{long} {item}" for item in range(8)], lane=Lane.BULK))
    assert setup.embedder.backlog.seconds(Lane.BULK) < 0.4
    setup.embedder.pace.observe(HASHING, 512, seconds=20)
    assert setup.embedder.backlog.seconds(Lane.BULK) > 0.4
    assert setup.embedder.room(Lane.BULK) == 0


def test_models_do_not_mix_in_one_step(setup: Setup, encoder: RecordingEncoder) -> None:
    other = ModelSpec.from_wire({**HASHING.to_wire(), "version_key": 2, "version": 2})
    first, second = batch("same"), batch("same", model=other)
    setup.embedder.admit(first)
    setup.embedder.admit(second)
    assert set(setup.run()) == {first.batch_id, second.batch_id}
    assert encoder.steps == [1, 1]


def test_a_model_that_cannot_be_loaded_fails_its_items_only(valkey_url: str, redis: Redis) -> None:
    def load(spec: ModelSpec) -> Encoder:
        if spec.artifact == "broken":
            raise ModelError("no weights")
        return RecordingEncoder()

    client = broker_client(valkey_url)
    outbox = Outbox(client)
    embedder = Embedder(ModelPool(load), VectorCache(client, 60), outbox, Pace(CPU_LIMITS))
    bad = batch("a", "b", model=ModelSpec.from_wire({**HASHING.to_wire(), "artifact": "broken"}))
    good = batch("a")
    embedder.admit(bad)
    embedder.admit(good)
    while embedder.step():
        pass
    outbox.flush()
    setup = Setup(valkey_url, RecordingEncoder())
    replies = setup.replies()
    assert replies[bad.batch_id].outcomes == (MODEL_UNAVAILABLE, MODEL_UNAVAILABLE)
    assert embedded(replies[good.batch_id].outcomes[0]).tokens == 1


class Remembering(Pace):
    """Knows with how many cores each step was computed, so far as it is told."""

    def __init__(self, threads: int) -> None:
        super().__init__(CPU_LIMITS, threads)
        self.cores: list[int] = []

    @contextmanager
    def step(self, model: ModelSpec, tokens: int, cores: int = 1) -> Iterator[None]:
        self.cores.append(cores)
        with super().step(model, tokens, cores):
            yield


def test_a_thread_that_computes_by_itself_counts_the_one_core_that_it_has(setup: Setup) -> None:
    pace = Remembering(threads=2)
    embedder = Embedder(ModelPool(lambda spec: HeavyEncoder()), setup.cache, setup.outbox, pace)
    for text in ("alone", "alone again"):
        embedder.admit(batch(text))
        assert embedder.step()
    setup.outbox.flush()
    assert len(setup.replies()) == 2
    assert pace.cores == [1, 1]


def test_surrendered_batches_leave_and_keep_their_messages(setup: Setup) -> None:
    first, second = batch("a"), batch("b", lane=Lane.BULK)
    setup.embedder.admit(first, b"first")
    setup.embedder.admit(second, b"second")
    left = setup.embedder.surrender()
    assert [(ticket.batch.lane, ticket.raw) for ticket in left] == [
        (Lane.INTERACTIVE, b"first"),
        (Lane.BULK, b"second"),
    ]
    assert setup.embedder.idle
    assert setup.run() == {}
