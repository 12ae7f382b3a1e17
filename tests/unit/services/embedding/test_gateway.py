"""The embed gateway: what travels together, and that everybody hears."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from embedding_project.contracts.errors import Unavailable
from embedding_project.contracts.limits import EMBED_BATCH_ITEMS
from embedding_project.contracts.messages import EmbedBatch, EmbedItem, EmbedReply, Lane
from embedding_project.contracts.vectors import EmbeddedText
from embedding_project.threads.waiter import on_the_wall
from embeddings_app.services.embedding.flights import Outcome, StreamKey
from embeddings_app.services.embedding.gateway import Gateway
from tests.specs import SPEC

KEY = StreamKey(SPEC, Lane.INTERACTIVE, True)


class Wire:
    """Stands where broker and inbox stand; the test answers when it likes."""

    def __init__(self, wait_seconds: float = 0.005) -> None:
        self.sent: list[EmbedBatch] = []
        self.on_reply: dict[str, Callable[[EmbedReply], None]] = {}
        self.arrived = threading.Condition()
        self.down = False
        self.faults: list[Exception] = []
        self.gateway = Gateway("reply.test", self.send, self.on_reply.__setitem__, lambda batch_id: None, wait_seconds)

    def send(self, batch: EmbedBatch) -> None:
        if self.faults:
            raise self.faults.pop()
        if self.down:
            raise Unavailable("broker_unavailable")
        with self.arrived:
            self.sent.append(batch)
            self.arrived.notify_all()

    def wait_for(self, count: int) -> None:
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.sent) >= count, 5)

    def wait_for_waiting(self, texts: int) -> None:
        """Until so many texts of the stream wait to be sent."""
        until = time.monotonic() + 5
        while len(self.gateway._streams[KEY].waiting) < texts:
            assert time.monotonic() < until
            time.sleep(0.001)

    def answer(self, number: int) -> None:
        batch = self.sent[number]
        outcomes = tuple(
            "model_error" if item.text == "bad" else _embedded(item.text).to_frame() for item in batch.items
        )
        self.on_reply[batch.batch_id](EmbedReply(batch_id=batch.batch_id, outcomes=outcomes))


def _embedded(text: str) -> EmbeddedText:
    return EmbeddedText(np.full(SPEC.dimension, len(text), np.float32), len(text), False)


def _items(*texts: str) -> list[EmbedItem]:
    return [EmbedItem(cache_key=text.encode(), text=text) for text in texts]


def _tokens(outcomes: list[Outcome]) -> list[int]:
    return [outcome.tokens for outcome in outcomes if isinstance(outcome, EmbeddedText)]


def _soon() -> float:
    return time.monotonic() + 5


def test_a_lone_text_leaves_at_once_and_later_ones_travel_together() -> None:
    wire = Wire(wait_seconds=60)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(wire.gateway.embed, KEY, _items("a"), _soon())
        wire.wait_for(1)
        others = [pool.submit(wire.gateway.embed, KEY, _items(text), _soon()) for text in ("bb", "ccc")]
        wire.wait_for_waiting(2)
        wire.answer(0)
        wire.wait_for(2)
        wire.answer(1)
        assert [_tokens(request.result(5)) for request in (first, *others)] == [[1], [2], [3]]
    assert [sorted(item.text for item in batch.items) for batch in wire.sent] == [["a"], ["bb", "ccc"]]


def test_a_batch_has_the_time_of_the_most_patient_request_in_it() -> None:
    wire = Wire(wait_seconds=60)
    now = time.monotonic()
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(wire.gateway.embed, KEY, _items("first"), now + 5)
        wire.wait_for(1)
        texts = [f"text {number}" for number in range(EMBED_BATCH_ITEMS - 1)]
        patient = pool.submit(wire.gateway.embed, KEY, _items(*texts), now + 20)
        wire.wait_for_waiting(len(texts))
        hasty = pool.submit(wire.gateway.embed, KEY, _items("query"), now + 1)
        wire.wait_for(2)
        assert len(wire.sent[1].items) == EMBED_BATCH_ITEMS
        assert wire.sent[1].deadline == pytest.approx(on_the_wall(now + 20), abs=0.1)
        assert hasty.result(5) == ["embedder_unavailable"]
        wire.answer(0)
        wire.answer(1)
        first.result(5)
        assert {type(outcome) for outcome in patient.result(5)} == {EmbeddedText}


def test_batches_hold_at_most_64_texts_and_answers_keep_their_order() -> None:
    wire = Wire()
    texts = [f"{'x' * (number % 50)}{number}" for number in range(150)]
    with ThreadPoolExecutor(1) as pool:
        request = pool.submit(wire.gateway.embed, KEY, _items(*texts), _soon())
        wire.wait_for(3)
        for number in (2, 0, 1):
            wire.answer(number)
        outcomes = request.result(5)
    assert [len(batch.items) for batch in wire.sent] == [64, 64, 22]
    assert _tokens(outcomes) == [len(text) for text in texts]


def test_equal_texts_of_many_requests_are_computed_once() -> None:
    wire = Wire()
    with ThreadPoolExecutor(20) as pool:
        requests = [pool.submit(wire.gateway.embed, KEY, _items("same"), _soon()) for _ in range(20)]
        wire.wait_for(1)
        time.sleep(0.05)
        wire.answer(0)
        assert [_tokens(request.result(5)) for request in requests] == [[4]] * 20
    assert len(wire.sent) == 1


def test_a_bad_text_fails_alone() -> None:
    wire = Wire()
    with ThreadPoolExecutor(1) as pool:
        request = pool.submit(wire.gateway.embed, KEY, _items("good", "bad"), _soon())
        wire.wait_for(1)
        wire.answer(0)
        good, bad = request.result(5)
    assert isinstance(good, EmbeddedText)
    assert bad == "model_error"


def test_a_reply_that_cannot_be_read_is_the_fault_of_no_text() -> None:
    wire = Wire()
    for number, outcomes in enumerate([(b"damaged", b"damaged"), (b"one too few",)], start=1):
        with ThreadPoolExecutor(1) as pool:
            request = pool.submit(wire.gateway.embed, KEY, _items("a", "b"), _soon())
            wire.wait_for(number)
            batch = wire.sent[-1]
            wire.on_reply[batch.batch_id](EmbedReply(batch_id=batch.batch_id, outcomes=outcomes))
            assert request.result(5) == ["embedder_unavailable"] * 2


def test_nobody_waits_past_the_deadline_and_the_next_request_starts_afresh() -> None:
    wire = Wire()
    started = time.monotonic()
    assert wire.gateway.embed(KEY, _items("a"), time.monotonic() + 0.2) == ["embedder_unavailable"]
    assert time.monotonic() - started < 1
    with ThreadPoolExecutor(1) as pool:
        request = pool.submit(wire.gateway.embed, KEY, _items("a"), _soon())
        wire.wait_for(2)
        wire.answer(1)
        assert isinstance(request.result(5)[0], EmbeddedText)


def test_a_request_with_time_does_not_share_the_fate_of_one_that_has_none_left() -> None:
    wire = Wire()
    with ThreadPoolExecutor(2) as pool:
        hasty = pool.submit(wire.gateway.embed, KEY, _items("a"), time.monotonic() + 0.5)
        wire.wait_for(1)
        patient = pool.submit(wire.gateway.embed, KEY, _items("a"), _soon())
        wire.wait_for(2)
        wire.answer(1)
        assert isinstance(patient.result(5)[0], EmbeddedText)
        assert hasty.result(5) == ["embedder_unavailable"]


def test_a_broker_that_is_away_is_an_outcome_at_once() -> None:
    wire = Wire()
    wire.down = True
    started = time.monotonic()
    assert wire.gateway.embed(KEY, _items("a", "b"), _soon()) == ["broker_unavailable"] * 2
    assert time.monotonic() - started < 1


def test_a_fault_nobody_foresaw_is_the_outcome_of_its_batch_and_of_no_other() -> None:
    wire = Wire()
    wire.faults.append(RuntimeError("a fault nobody foresaw"))
    with ThreadPoolExecutor(1) as pool:
        texts = [f"text {number}" for number in range(EMBED_BATCH_ITEMS + 1)]
        request = pool.submit(wire.gateway.embed, KEY, _items(*texts), _soon())
        wire.wait_for(1)
        wire.answer(0)
        *failed, embedded = request.result(5)
    assert failed == ["internal_error"] * EMBED_BATCH_ITEMS
    assert isinstance(embedded, EmbeddedText)
