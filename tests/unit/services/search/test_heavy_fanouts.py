"""A heavy search on its way: alone, on queues of its own, with a patience of its own, and no harm to light ones."""

import time
from collections.abc import Iterable

import pytest

from embedding_project.contracts.messages import SearchReply
from embedding_project.contracts.queues import SearchLane, search_queue
from embeddings_app.services.search.carrier import HEAVY_PATIENCE, SHARD_PATIENCE_SECONDS, SHARD_SILENT, TOO_SLOW
from embeddings_app.services.search.circuits import TOLERATED_MISSES
from embeddings_app.services.search.hedging import LATEST_SECONDS
from embeddings_app.services.search.tickets import SearchTicket
from tests.unit.services.search.fanout_builders import (
    HITS,
    SOON,
    TOPOLOGY,
    Answers,
    Carried,
    Sent,
    answer,
    nobody,
    only,
    ticket,
)

SECONDS = 0.1


def heavy(seconds: float = 5.0) -> SearchTicket:
    return ticket(seconds=seconds, microseconds=SECONDS * 1_000_000, lane=SearchLane.HEAVY)


@pytest.fixture
def carried() -> Carried:
    return Carried()


def after(seconds: float) -> Answers:
    return lambda sent: [(seconds, answer(sent, shard)) for shard in sent.shards]


def test_it_travels_on_queues_of_its_own(carried: Carried) -> None:
    carried.carry(ticket())
    assert carried.carry(heavy()).outcomes == {0: HITS, 1: HITS}
    assert [sent.lane for sent in carried.wire.sent] == [SearchLane.LIGHT, SearchLane.HEAVY]


def test_its_patience_follows_its_cost(carried: Carried) -> None:
    began = carried.wire.clock.now
    assert set(carried.carry(heavy(), answers=nobody).outcomes.values()) == {TOO_SLOW}
    assert carried.wire.clock.now - began == pytest.approx(SHARD_PATIENCE_SECONDS + HEAVY_PATIENCE * SECONDS)


def test_it_is_waited_for_within_the_deadline_and_so_does_the_node(carried: Carried) -> None:
    began = carried.wire.clock.now
    carried.carry(heavy(0.5), answers=nobody)
    assert carried.wire.clock.now - began == pytest.approx(0.4, abs=0.05)


def test_its_lateness_opens_no_circuit(carried: Carried) -> None:
    for _ in range(2 * TOLERATED_MISSES):
        carried.carry(heavy(), answers=nobody)
    assert carried.carry(ticket()).outcomes == {0: HITS, 1: HITS}


def test_it_is_sent_again_late_and_once(carried: Carried) -> None:
    times = []

    def note(_: Sent) -> Iterable[tuple[float, SearchReply]]:
        times.append(carried.wire.clock.now)
        return ()

    carried.carry(heavy(), answers=note)
    assert len(times) == 2
    assert times[1] - times[0] > 2 * LATEST_SECONDS


def test_it_is_not_sent_again_while_no_replica_has_taken_it(carried: Carried) -> None:
    carried.wire.lengths = {0: 1, 1: 0}
    carried.carry(heavy(), answers=nobody)
    assert carried.sent_to == [(0, 1), (1,)]


def test_it_is_no_probe_of_a_shard_that_nobody_waits_for(carried: Carried) -> None:
    carried.open_circuit(1)
    carried.wire.clock.now += 1
    sent = carried.carry(heavy())
    assert carried.sent_to == [(0,)]
    assert sent.outcomes == {0: HITS, 1: SHARD_SILENT}


def test_its_answer_says_nothing_of_light_searches(carried: Carried) -> None:
    for _ in range(TOLERATED_MISSES - 1):
        carried.carry(ticket(), answers=only(0))
    carried.carry(heavy())
    carried.carry(ticket(), answers=only(0))
    carried.wire.sent.clear()
    carried.carry(ticket())
    assert carried.sent_to == [(0,)], "the circuit of shard 1 is open"


def test_slow_heavy_answers_do_not_delay_the_hedges_of_light_ones(carried: Carried) -> None:
    for _ in range(100):
        carried.carry(ticket())
    for _ in range(100):
        carried.carry(heavy(), answers=after(0.5))
    began = carried.wire.clock.now
    carried.overdue = 0
    carried.carry(ticket(), answers=after(LATEST_SECONDS / 2))
    assert carried.overdue == 1
    assert carried.wire.clock.now - began < LATEST_SECONDS


def test_of_what_nobody_took_nothing_stays_in_its_queues(carried: Carried) -> None:
    carried.carry(heavy(0.5), answers=nobody)
    time.sleep(0.5)
    carried.carry(heavy(), answers=after(SOON))
    assert carried.wire.cleared == {search_queue(TOPOLOGY.layout, 1, shard, SearchLane.HEAVY) for shard in (0, 1)}
