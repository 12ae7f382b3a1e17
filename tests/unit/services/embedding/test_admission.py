"""Who may join the queue of the embedders, and what the others hear."""

import itertools
from dataclasses import replace
from typing import Any

import pytest

from embedding_project.broker.embed_load import EmbedLoad, model_name
from embedding_project.contracts.errors import Unavailable
from embedding_project.contracts.messages import EmbedItem, Lane
from embeddings_app.services.embedding.admission import (
    BULK_WAIT_SECONDS,
    GRACE_SECONDS,
    TOKENS_WITHOUT_SPEED,
    EmbedAdmission,
)
from embeddings_app.services.embedding.flights import StreamKey
from tests.specs import SPEC

LONG = replace(SPEC, max_tokens=1_000_000)
KEY = StreamKey(LONG, Lane.INTERACTIVE, True)
BULK = StreamKey(LONG, Lane.BULK, True)
NAME = model_name(LONG)
SPEED = 1000.0
BOUND = 1.0
_numbers = itertools.count()


class Service:
    """What a process hears of the others."""

    def __init__(self) -> None:
        self.load: EmbedLoad | None = EmbedLoad(embedders=1, speeds={NAME: SPEED}, queued={})
        self.gone_seconds = 0.0

    def others(self) -> EmbedLoad | None:
        return self.load

    def without_embedder_seconds(self) -> float:
        return self.gone_seconds

    def say(self, **changes: Any) -> None:
        assert self.load is not None
        self.load = replace(self.load, **changes)


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def admission(service: Service) -> EmbedAdmission:
    return EmbedAdmission(lambda _: service, BOUND)


def _text(tokens: float) -> list[EmbedItem]:
    """A text that nobody else sends, of about so many tokens: four bytes each, and two more."""
    text = f"{next(_numbers):08}".ljust(int(4 * (tokens - 2)), "x")
    return [EmbedItem(cache_key=text.encode(), text=text)]


def _refused(admission: EmbedAdmission, items: list[EmbedItem], *, reserve: bool = False) -> Unavailable:
    with pytest.raises(Unavailable) as refused:
        admission.enter(KEY, items, reserve=reserve)
    return refused.value


def test_requests_are_admitted_until_the_next_would_wait_too_long(admission: EmbedAdmission) -> None:
    admission.enter(KEY, _text(600))
    second = admission.enter(KEY, _text(600))
    assert _refused(admission, _text(600)).code == "overloaded"
    admission.leave(second)
    admission.enter(KEY, _text(600))


def test_what_other_processes_wait_for_counts_as_well(admission: EmbedAdmission, service: Service) -> None:
    service.say(queued={Lane.INTERACTIVE: {NAME: 1100.0}})
    assert _refused(admission, _text(200)).code == "overloaded"
    service.say(embedders=2)
    admission.enter(KEY, _text(200))


def test_the_answer_says_when_there_will_be_room(admission: EmbedAdmission, service: Service) -> None:
    service.say(queued={Lane.INTERACTIVE: {NAME: 7500.0}})
    assert _refused(admission, _text(100)).retry_after_seconds == 7
    service.say(queued={Lane.INTERACTIVE: {NAME: 1050.0}})
    assert _refused(admission, _text(100)).retry_after_seconds == 1


def test_a_request_larger_than_the_bound_is_served_when_nothing_waits(admission: EmbedAdmission) -> None:
    admission.enter(KEY, _text(50_000))
    assert _refused(admission, _text(10)).retry_after_seconds == 49


@pytest.mark.parametrize(("before", "own", "admitted"), [(300, 500, True), (600, 500, False), (900, 50_000, True)])
def test_a_long_request_may_wait_as_long_as_it_takes_itself(
    service: Service, before: float, own: float, admitted: bool
) -> None:
    admission = EmbedAdmission(lambda _: service, 0.25)
    service.say(queued={Lane.INTERACTIVE: {NAME: before}})
    _refused(admission, _text(10))
    if admitted:
        admission.enter(KEY, _text(own))
    else:
        _refused(admission, _text(own))


def test_no_request_waits_longer_than_a_second_however_long_it_is(service: Service) -> None:
    admission = EmbedAdmission(lambda _: service, 0.25)
    service.say(queued={Lane.INTERACTIVE: {NAME: 1.1 * SPEED}})
    _refused(admission, _text(50_000))


def test_searches_have_a_reserve_that_embeds_cannot_use(admission: EmbedAdmission, service: Service) -> None:
    service.say(queued={Lane.INTERACTIVE: {NAME: 1400.0}})
    assert _refused(admission, _text(200)).code == "overloaded"
    admission.enter(KEY, _text(200), reserve=True)
    assert _refused(admission, _text(200), reserve=True).code == "overloaded"


def test_texts_under_way_are_never_refused(admission: EmbedAdmission) -> None:
    text = _text(2000)
    admission.enter(KEY, text)
    _refused(admission, _text(10))
    admission.enter(KEY, text)


def test_bulk_work_does_not_count_for_interactive_requests_but_the_other_way_round(
    admission: EmbedAdmission, service: Service
) -> None:
    service.say(queued={Lane.BULK: {NAME: 1e6}})
    admission.enter(KEY, _text(100))
    assert admission.try_bulk(BULK, _text(10)) is None
    service.say(queued={Lane.INTERACTIVE: {NAME: SPEED * BULK_WAIT_SECONDS}})
    assert admission.try_bulk(BULK, _text(10)) is None
    service.say(queued={Lane.INTERACTIVE: {NAME: SPEED}})
    assert admission.try_bulk(BULK, _text(10)) is not None


@pytest.mark.parametrize("unknown", ["cold start", "broker away"])
def test_without_a_speed_what_one_process_sends_is_bounded(
    admission: EmbedAdmission, service: Service, unknown: str
) -> None:
    if unknown == "cold start":
        service.say(speeds={})
    else:
        service.load = None
    first = admission.enter(KEY, _text(2 * TOKENS_WITHOUT_SPEED))
    assert _refused(admission, _text(10)).code == "overloaded"
    admission.leave(first)
    for _ in range(4):
        admission.enter(KEY, _text(TOKENS_WITHOUT_SPEED // 4))
    assert _refused(admission, _text(100)).retry_after_seconds == 1


def test_an_embedder_that_is_started_anew_is_waited_for_and_none_at_all_is_said_at_once(
    admission: EmbedAdmission, service: Service
) -> None:
    service.say(embedders=0)
    service.gone_seconds = GRACE_SECONDS - 1
    admission.enter(KEY, _text(10))
    assert admission.patience(Lane.INTERACTIVE) == GRACE_SECONDS
    service.gone_seconds = GRACE_SECONDS + 1
    refusal = _refused(admission, _text(10))
    assert (refusal.code, refusal.kind.status) == ("embedder_unavailable", 503)
    assert admission.report().refused_at > 0
    service.say(embedders=1)
    service.gone_seconds = 0.0
    admission.enter(KEY, _text(10))


def test_bulk_work_queues_nothing_while_no_embedder_lives(admission: EmbedAdmission, service: Service) -> None:
    service.say(embedders=0)
    assert admission.try_bulk(BULK, _text(10)) is None


def test_a_lost_message_is_forgotten_in_time(service: Service) -> None:
    now = [0.0]
    admission = EmbedAdmission(lambda _: service, BOUND, lambda: now[0])
    admission.enter(KEY, _text(2000))
    _refused(admission, _text(10))
    now[0] += 60
    admission.enter(KEY, _text(10))


def test_the_report_tells_what_is_under_way_and_when_somebody_was_refused(admission: EmbedAdmission) -> None:
    entry = admission.enter(KEY, _text(2000))
    assert admission.report().queued[Lane.INTERACTIVE][NAME] == pytest.approx(2000, abs=2)
    assert admission.report().refused_at == 0.0
    _refused(admission, _text(10))
    assert admission.report().refused_at > 0
    admission.leave(entry)
    assert admission.report().queued[Lane.INTERACTIVE] == {}


def test_who_found_no_thread_hears_how_long_the_queue_is(admission: EmbedAdmission, service: Service) -> None:
    assert admission.note_refusal() == 1
    service.say(queued={Lane.INTERACTIVE: {NAME: 2500.0}})
    assert admission.note_refusal() == 3
    assert admission.report().refused_at > 0
