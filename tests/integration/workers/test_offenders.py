"""Texts on which a model failed alone again and again."""

from redis import Redis

from tests.unit.workers.builders import HASHING, RecordingEncoder, Setup, batch, embedded
from workers.offenders import MAX_FAILURES, MAX_REMEMBERED, REFUSED_SECONDS, Offenders
from workers.tickets import MODEL_ERROR


def test_a_text_is_refused_after_three_failures_and_for_a_while_only() -> None:
    now = 0.0
    offenders = Offenders(lambda: now)
    for _ in range(MAX_FAILURES):
        assert not offenders.refuses(HASHING, b"text")
        offenders.failed(HASHING, b"text")
    assert offenders.refuses(HASHING, b"text")
    assert not offenders.refuses(HASHING, b"other")
    now = REFUSED_SECONDS
    assert not offenders.refuses(HASHING, b"text")


def test_only_so_many_texts_are_remembered() -> None:
    offenders = Offenders()
    for number in range(MAX_REMEMBERED + 10):
        offenders.failed(HASHING, str(number).encode())
    assert len(offenders) == MAX_REMEMBERED


def test_an_embedder_no_longer_tries_a_text_that_failed_thrice(valkey_url: str, redis: Redis) -> None:
    encoder = RecordingEncoder(fails=lambda text: text == "poison")
    setup = Setup(valkey_url, encoder)
    for _ in range(MAX_FAILURES):
        setup.embedder.admit(batch("poison"))
        setup.run()
    encoder.steps.clear()
    sent = batch("poison", "fine")
    setup.embedder.admit(sent)
    refused, fine = setup.run()[sent.batch_id].outcomes
    assert refused == MODEL_ERROR
    assert embedded(fine).tokens == 1
    assert encoder.steps == [1]
