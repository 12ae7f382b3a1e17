"""A fan-out from its message to its outcomes, with shards that do as they are told and a clock that a wait moves."""

import time
from collections.abc import Iterable
from dataclasses import replace

import pytest

from embedding_project.contracts.errors import Unavailable
from embedding_project.contracts.messages import BEHIND, SearchReply
from embedding_project.contracts.queues import search_queue
from embeddings_app.services.search.carrier import LONG_QUEUE, SHARD_PATIENCE_SECONDS, SHARD_SILENT
from embeddings_app.services.search.circuits import PROBE_SECONDS, TOLERATED_MISSES
from embeddings_app.services.search.hedging import LATEST_SECONDS
from tests.unit.services.search.fanout_builders import (
    HITS,
    SOON,
    TOPOLOGY,
    Carried,
    Sent,
    answer,
    nobody,
    only,
    ticket,
)

_SHORT_SECONDS = 0.5
"""Enough for a fan-out to leave; then its deadline is over."""


@pytest.fixture
def carried() -> Carried:
    return Carried()


def test_every_ticket_gets_the_answers_of_all_shards_from_one_message(carried: Carried) -> None:
    tickets = [ticket(), ticket()]
    carried.carry(*tickets)
    assert carried.sent_to == [(0, 1)]
    assert len(carried.wire.sent[0].batch.queries) == 2
    assert [each.outcomes for each in tickets] == [{0: HITS, 1: HITS}] * 2
    assert (carried.overdue, tickets[0].search_ms) == (0, 1.0)


def test_a_search_whose_time_is_over_waits_for_no_broker_once_more(carried: Carried) -> None:
    late = replace(ticket(), deadline=time.monotonic() - 0.1)
    carried.carry(late)
    assert carried.sent_to == []
    assert late.outcomes == dict.fromkeys((0, 1), SHARD_SILENT)


def test_a_shard_that_is_known_is_not_asked(carried: Carried) -> None:
    asked = ticket()
    again = replace(asked, outcomes={0: HITS})
    carried.carry(again)
    assert carried.sent_to == [(1,)]
    assert set(again.outcomes) == {0, 1}


def test_the_first_answer_of_a_shard_counts(carried: Carried) -> None:
    def twice(sent: Sent) -> Iterable[tuple[float, SearchReply]]:
        return [(SOON, answer(sent, 0)), (2 * SOON, answer(sent, 0, BEHIND)), (3 * SOON, answer(sent, 1))]

    sent = carried.carry(ticket(), answers=twice)
    assert sent.outcomes == {0: HITS, 1: HITS}


def test_what_does_not_answer_what_was_asked_is_no_answer(carried: Carried) -> None:
    def strange(sent: Sent) -> Iterable[tuple[float, SearchReply]]:
        yield SOON, replace(answer(sent, 0), outcomes=(HITS, HITS))
        yield SOON, answer(sent, 7)
        yield SOON, replace(answer(sent, 1), fanout_id="another")

    assert carried.carry(ticket(), answers=strange).outcomes == dict.fromkeys((0, 1), SHARD_SILENT)


def test_a_late_shard_gets_the_message_again_and_only_it(carried: Carried) -> None:
    def second_try(sent: Sent) -> Iterable[tuple[float, SearchReply]]:
        return [(SOON, answer(sent, shard)) for shard in (0,) + (1,) * bool(carried.wire.sent[1:])]

    sent = carried.carry(ticket(), answers=second_try)
    assert carried.sent_to == [(0, 1), (1,)]
    first, again = (one.batch for one in carried.wire.sent)
    assert replace(again, fanout_id="", vectors=first.vectors) == replace(first, fanout_id="")
    assert sent.outcomes == {0: HITS, 1: HITS}


def test_the_first_message_may_still_win(carried: Carried) -> None:
    def slow(sent: Sent) -> Iterable[tuple[float, SearchReply]]:
        first = sent is carried.wire.sent[0]
        return [(LATEST_SECONDS + SOON if first else 2 * SOON, answer(sent, 0, HITS if first else BEHIND))]

    assert carried.carry(ticket(), answers=slow).outcomes[0] == HITS


def test_it_is_sent_three_times_at_most(carried: Carried) -> None:
    carried.carry(ticket(), answers=nobody)
    assert len(carried.wire.sent) == 3


def test_without_a_second_replica_nothing_is_sent_again(carried: Carried) -> None:
    carried.carry(ticket(topology=replace(TOPOLOGY, replicas=1)), answers=nobody)
    assert len(carried.wire.sent) == 1


def test_a_busy_shard_is_not_asked_again(carried: Carried) -> None:
    carried.wire.lengths = {0: LONG_QUEUE, 1: LONG_QUEUE - 1}
    carried.carry(ticket(), answers=nobody)
    assert set(carried.sent_to[1:]) == {(1,)}


def test_hedges_end_with_their_budget(carried: Carried) -> None:
    for _ in range(20):
        carried.carry(ticket(seconds=SHARD_PATIENCE_SECONDS / 2), answers=nobody)
    hedged = sum(len(shards) for shards in carried.sent_to) - 20 * 2
    assert hedged == 10


def test_others_are_let_go_when_a_shard_is_overdue(carried: Carried) -> None:
    carried.carry(ticket(), answers=nobody)
    assert carried.overdue == 1


def test_a_silent_shard_is_given_up_after_the_patience(carried: Carried) -> None:
    began = carried.wire.clock.now
    sent = carried.carry(ticket(), answers=only(0))
    assert sent.outcomes == {0: HITS, 1: SHARD_SILENT}
    assert carried.wire.clock.now - began == pytest.approx(SHARD_PATIENCE_SECONDS)


def test_the_queue_of_a_silent_shard_is_cleared_once_its_messages_are_too_late(carried: Carried) -> None:
    carried.carry(ticket(), answers=only(0))
    carried.carry(ticket())
    assert carried.wire.cleared == set()
    carried.carry(ticket(seconds=0), answers=only(0))
    carried.carry(ticket())
    assert carried.wire.cleared == set(), "the older fan-out still has time"


def test_of_fanouts_that_are_over_nothing_is_left_in_the_queues(carried: Carried) -> None:
    carried.carry(ticket(seconds=_SHORT_SECONDS), answers=nobody)
    time.sleep(_SHORT_SECONDS)
    carried.carry(ticket())
    assert carried.wire.cleared == {search_queue(TOPOLOGY.layout, 1, shard) for shard in (0, 1)}


def test_a_queue_that_cannot_be_cleared_costs_no_search(carried: Carried) -> None:
    carried.carry(ticket(seconds=_SHORT_SECONDS), answers=nobody)
    time.sleep(_SHORT_SECONDS)
    carried.wire.clear_fault = Unavailable("broker_unavailable")
    assert carried.carry(ticket()).outcomes == {0: HITS, 1: HITS}


def test_no_shard_is_waited_for_beyond_the_deadline_of_the_searches(carried: Carried) -> None:
    began = carried.wire.clock.now
    sent = carried.carry(ticket(seconds=0.1), answers=nobody)
    assert set(sent.outcomes.values()) == {SHARD_SILENT}
    assert carried.wire.clock.now - began == pytest.approx(0.1, abs=0.05)


def test_after_three_misses_a_shard_is_not_waited_for(carried: Carried) -> None:
    carried.open_circuit(1)
    sent = carried.carry(ticket())
    assert carried.sent_to == [(0,)]
    assert sent.outcomes == {0: HITS, 1: SHARD_SILENT}


def test_when_no_shard_is_waited_for_the_answer_comes_at_once(carried: Carried) -> None:
    for _ in range(TOLERATED_MISSES):
        carried.carry(ticket(), answers=nobody)
    carried.wire.sent.clear()
    began = carried.wire.clock.now
    assert set(carried.carry(ticket()).outcomes.values()) == {SHARD_SILENT}
    assert (carried.wire.sent, carried.wire.clock.now) == ([], began)


def test_a_probe_that_is_answered_closes_the_circuit(carried: Carried) -> None:
    carried.open_circuit(1)
    carried.wire.clock.now += PROBE_SECONDS

    def probe_later(sent: Sent) -> Iterable[tuple[float, SearchReply]]:
        return [(SOON, answer(sent, 0)), (5 * SOON, answer(sent, 1))]

    assert carried.carry(ticket(), answers=probe_later).outcomes == {0: HITS, 1: SHARD_SILENT}
    assert carried.sent_to == [(0, 1)]
    carried.wire.clock.now += 1
    carried.carry(ticket())
    carried.carry(ticket())
    assert carried.sent_to[-1] == (0, 1)


def test_a_probe_waits_for_an_empty_queue(carried: Carried) -> None:
    carried.open_circuit(1)
    carried.wire.lengths = {1: 1}
    carried.wire.clock.now += PROBE_SECONDS
    carried.carry(ticket())
    assert carried.sent_to == [(0,)]


def test_an_unanswered_probe_is_not_repeated(carried: Carried) -> None:
    carried.open_circuit(1)
    carried.wire.clock.now += PROBE_SECONDS
    began = carried.wire.clock.now
    carried.carry(ticket(), answers=only(0))
    assert carried.sent_to == [(0, 1)]
    assert carried.wire.clock.now - began == pytest.approx(SOON)


def test_an_answer_after_the_patience_still_closes_the_circuit(carried: Carried) -> None:
    carried.carry(ticket(), answers=only(0))
    carried.carry(ticket(), answers=only(0))
    late = SHARD_PATIENCE_SECONDS + 0.1
    carried.carry(ticket(), answers=lambda sent: [(SOON, answer(sent, 0)), (late, answer(sent, 1))])
    carried.wire.clock.now += 1
    carried.carry(ticket())
    carried.carry(ticket())
    assert carried.sent_to[-1] == (0, 1)


def test_messages_that_left_shortly_before_their_deadline_are_no_evidence(carried: Carried) -> None:
    for _ in range(2 * TOLERATED_MISSES):
        carried.carry(ticket(seconds=SHARD_PATIENCE_SECONDS / 2), answers=nobody)
    carried.wire.sent.clear()
    carried.carry(ticket())
    assert carried.sent_to == [(0, 1)]


def test_a_broker_that_is_away_fails_the_tickets_and_opens_no_circuit(carried: Carried) -> None:
    carried.wire.fault = Unavailable("broker_unavailable")
    for _ in range(2 * TOLERATED_MISSES):
        assert set(carried.carry(ticket()).outcomes.values()) == {"broker_unavailable"}
    carried.wire.fault = None
    carried.carry(ticket())
    assert carried.sent_to == [(0, 1)]


def test_any_other_fault_is_told_to_every_ticket(carried: Carried) -> None:
    carried.wire.fault = RuntimeError("unforeseen")
    tickets = [ticket(), ticket()]
    carried.carry(*tickets)
    assert all(set(each.outcomes.values()) == {"internal_error"} for each in tickets)


def test_a_message_that_cannot_be_made_is_told_to_every_ticket(carried: Carried) -> None:
    tickets = [ticket(), ticket(dimension=5)]
    carried.carry(*tickets)
    assert all(set(each.outcomes.values()) == {"internal_error"} for each in tickets)
