"""The life of a fan-out, with a clock and shards that do as they are told."""

import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from embedding_project.contracts.errors import Unavailable
from embedding_project.contracts.messages import BEHIND, SearchReply
from embeddings_app.services.search.circuits import PROBE_SECONDS, TOLERATED_MISSES
from embeddings_app.services.search.fanout_tracker import (
    LONG_QUEUE,
    NEXT_HEDGE_SECONDS,
    SHARD_PATIENCE_SECONDS,
    FanOutTracker,
)
from embeddings_app.services.search.hedging import LATEST_SECONDS
from embeddings_app.services.search.tickets import SearchTicket
from tests.unit.services.search.fanout_builders import HITS, TOPOLOGY, Clock, Wire, ticket


class Tracked:
    """A tracker whose time the test moves, and how often it released a slot."""

    def __init__(self) -> None:
        self.wire, self.clock = Wire(), Clock()
        self.tracker = FanOutTracker(self.wire, self.clock)
        self.released = 0

    def send(self, *tickets: SearchTicket) -> SearchTicket:
        self.tracker.send(list(tickets), self._release)
        return tickets[0]

    def _release(self) -> None:
        self.released += 1

    def pass_time(self, seconds: float) -> None:
        """In small steps, as the thread would see it go by."""
        until = self.clock.now + seconds
        while self.clock.now < until:
            self.clock.now = min(self.clock.now + 0.01, until)
            self.tracker.take_due_steps()

    def lose(self, shard: int) -> SearchTicket:
        """One fan-out that a shard leaves unanswered, to its end."""
        lost = self.send(ticket())
        self.wire.answer(len(self.wire.sent) - 1, 1 - shard)
        self.pass_time(SHARD_PATIENCE_SECONDS)
        return lost

    def open_circuit(self, shard: int) -> None:
        for _ in range(TOLERATED_MISSES):
            self.lose(shard)
        self.wire.sent.clear()


@pytest.fixture
def tracked() -> Tracked:
    return Tracked()


def test_every_ticket_gets_the_answers_of_all_shards_and_nothing_is_kept(tracked: Tracked) -> None:
    tickets = [ticket(), ticket()]
    tracked.send(*tickets)
    assert [shards for shards, _ in tracked.wire.sent] == [(0, 1)]
    tracked.wire.answer(0, 0)
    assert not tickets[0].done.is_woken
    assert tracked.released == 0
    tracked.wire.answer(0, 1)
    assert all(each.done.is_woken and each.outcomes == {0: HITS, 1: HITS} for each in tickets)
    assert tracked.released == 1
    assert tracked.wire.expected == {}
    tracked.pass_time(5)
    assert (len(tracked.wire.sent), tracked.released) == (1, 1)


def test_an_answer_that_comes_twice_counts_once(tracked: Tracked) -> None:
    sent = tracked.send(ticket())
    tracked.wire.answer(0, 0)
    tracked.wire.answer(0, 0, outcome=BEHIND)
    assert sent.outcomes == {0: HITS}


def test_an_answer_that_is_not_to_what_was_asked_is_no_answer(tracked: Tracked) -> None:
    sent = tracked.send(ticket())
    batch = tracked.wire.sent[0][1]
    on_reply = tracked.wire.expected[batch.fanout_id]
    on_reply(SearchReply(fanout_id=batch.fanout_id, shard=0, outcomes=(HITS, HITS), search_ms=1.0))
    on_reply(SearchReply(fanout_id=batch.fanout_id, shard=7, outcomes=(HITS,), search_ms=1.0))
    assert sent.outcomes == {}


def test_a_late_shard_gets_the_message_again_and_only_it(tracked: Tracked) -> None:
    sent = tracked.send(ticket())
    tracked.wire.answer(0, 0)
    tracked.pass_time(LATEST_SECONDS)
    assert [shards for shards, _ in tracked.wire.sent] == [(0, 1), (1,)]
    first, again = (batch for _, batch in tracked.wire.sent)
    assert replace(again, fanout_id="", vectors=first.vectors) == replace(first, fanout_id="")
    tracked.wire.answer(1, 1)
    assert sent.outcomes == {0: HITS, 1: HITS}
    assert tracked.wire.expected == {}
    tracked.pass_time(5)
    assert len(tracked.wire.sent) == 2


def test_the_first_message_may_still_win(tracked: Tracked) -> None:
    sent = tracked.send(ticket())
    tracked.pass_time(LATEST_SECONDS)
    tracked.wire.answer(0, 0, 1)
    tracked.wire.answer(1, 0, 1, outcome=BEHIND)
    assert sent.outcomes == {0: HITS, 1: HITS}


def test_it_is_sent_three_times_at_most(tracked: Tracked) -> None:
    tracked.send(ticket())
    tracked.pass_time(LATEST_SECONDS + NEXT_HEDGE_SECONDS)
    assert len(tracked.wire.sent) == 3
    tracked.pass_time(10)
    assert len(tracked.wire.sent) == 3


def test_without_a_second_replica_nothing_is_sent_again(tracked: Tracked) -> None:
    tracked.send(ticket(topology=replace(TOPOLOGY, replicas=1)))
    tracked.pass_time(5)
    assert len(tracked.wire.sent) == 1


def test_a_busy_shard_is_not_asked_again(tracked: Tracked) -> None:
    tracked.send(ticket())
    tracked.wire.lengths = {0: LONG_QUEUE, 1: LONG_QUEUE - 1}
    tracked.pass_time(LATEST_SECONDS)
    assert [shards for shards, _ in tracked.wire.sent[1:]] == [(1,)]


def test_hedges_end_with_their_budget(tracked: Tracked) -> None:
    for _ in range(20):
        tracked.send(ticket())
    tracked.pass_time(SHARD_PATIENCE_SECONDS)
    hedged = sum(len(shards) for shards, _ in tracked.wire.sent[20:])
    assert hedged == 10


def test_a_late_shard_no_longer_holds_others_back(tracked: Tracked) -> None:
    tracked.send(ticket())
    tracked.pass_time(LATEST_SECONDS - 0.05)
    assert tracked.released == 0
    tracked.pass_time(0.05)
    assert tracked.released == 1
    tracked.pass_time(10)
    assert tracked.released == 1


def test_a_silent_shard_is_given_up_and_its_queue_cleared_after_the_deadline(tracked: Tracked) -> None:
    sent = tracked.send(ticket(seconds=2))
    tracked.wire.answer(0, 0)
    tracked.pass_time(SHARD_PATIENCE_SECONDS - 0.01)
    early = sent.done.is_woken
    tracked.pass_time(0.01)
    assert (early, sent.done.is_woken) == (False, True)
    assert sent.outcomes == {0: HITS, 1: "index_unavailable"}
    assert tracked.wire.cleared == set()
    tracked.pass_time(2)
    assert tracked.wire.cleared == {1}


def test_nothing_is_kept_of_a_fanout_after_its_deadline(tracked: Tracked) -> None:
    tracked.send(ticket(seconds=2))
    tracked.pass_time(1)
    assert tracked.wire.expected != {}
    tracked.pass_time(1)
    assert tracked.wire.expected == {}


def test_after_three_misses_a_shard_is_not_waited_for(tracked: Tracked) -> None:
    tracked.open_circuit(1)
    sent = tracked.send(ticket())
    assert [shards for shards, _ in tracked.wire.sent] == [(0,)]
    assert sent.outcomes == {1: "index_unavailable"}
    tracked.wire.answer(0, 0)
    assert sent.done.is_woken


def test_when_no_shard_is_waited_for_the_answer_comes_at_once(tracked: Tracked) -> None:
    for _ in range(TOLERATED_MISSES):
        tracked.send(ticket())
        tracked.pass_time(SHARD_PATIENCE_SECONDS)
    tracked.wire.sent.clear()
    released = tracked.released
    sent = tracked.send(ticket())
    assert (sent.done.is_woken, set(sent.outcomes.values())) == (True, {"index_unavailable"})
    assert tracked.wire.sent == []
    assert tracked.released == released + 1


def test_a_probe_that_is_answered_closes_the_circuit(tracked: Tracked) -> None:
    tracked.open_circuit(1)
    tracked.pass_time(PROBE_SECONDS)
    probing = tracked.send(ticket())
    assert [shards for shards, _ in tracked.wire.sent] == [(0, 1)]
    tracked.wire.answer(0, 0)
    assert probing.done.is_woken
    tracked.wire.answer(0, 1)
    assert probing.outcomes[1] == "index_unavailable"
    tracked.send(ticket())
    assert tracked.wire.sent[1][0] == (0, 1)


def test_a_probe_waits_for_an_empty_queue(tracked: Tracked) -> None:
    tracked.open_circuit(1)
    tracked.wire.lengths = {1: 1}
    tracked.pass_time(PROBE_SECONDS)
    tracked.send(ticket())
    assert [shards for shards, _ in tracked.wire.sent] == [(0,)]


def test_an_unanswered_probe_is_neither_repeated_nor_left_behind(tracked: Tracked) -> None:
    tracked.open_circuit(1)
    tracked.pass_time(PROBE_SECONDS)
    tracked.wire.cleared.clear()
    tracked.send(ticket())
    tracked.wire.answer(0, 0)
    tracked.pass_time(10)
    assert len(tracked.wire.sent) == 1
    assert tracked.wire.cleared == {1}
    assert tracked.wire.expected == {}


def test_an_answer_after_the_patience_still_closes_the_circuit(tracked: Tracked) -> None:
    tracked.lose(1)
    tracked.lose(1)
    slow = tracked.lose(1)
    number = len(tracked.wire.sent) - 1
    tracked.wire.answer(number, 1)
    assert slow.outcomes[1] == "index_unavailable"
    tracked.send(ticket())
    assert tracked.wire.sent[-1][0] == (0, 1)


def test_messages_that_left_shortly_before_their_deadline_are_no_evidence(tracked: Tracked) -> None:
    for _ in range(2 * TOLERATED_MISSES):
        tracked.send(ticket(seconds=SHARD_PATIENCE_SECONDS / 2))
        tracked.pass_time(SHARD_PATIENCE_SECONDS)
    tracked.wire.sent.clear()
    tracked.send(ticket())
    assert [shards for shards, _ in tracked.wire.sent] == [(0, 1)]


def test_a_broker_that_is_away_fails_the_tickets_at_once_and_opens_no_circuit(tracked: Tracked) -> None:
    tracked.wire.fault = Unavailable("broker_unavailable")
    for count in range(1, 2 * TOLERATED_MISSES):
        sent = tracked.send(ticket())
        assert (sent.done.is_woken, set(sent.outcomes.values())) == (True, {"broker_unavailable"})
        assert tracked.released == count
    tracked.wire.fault = None
    tracked.send(ticket())
    assert tracked.wire.sent[0][0] == (0, 1)


def test_any_other_fault_is_told_and_gives_the_slot_back(tracked: Tracked) -> None:
    tracked.wire.fault = RuntimeError("unforeseen")
    lost = tracked.send(ticket())
    assert set(lost.outcomes.values()) == {"internal_error"}
    assert (tracked.released, tracked.wire.expected) == (1, {})


def test_a_message_that_cannot_be_made_gives_the_slot_back_too(tracked: Tracked) -> None:
    other_dimension = replace(ticket(), vector=np.ones(5, np.float32))
    lost = tracked.send(ticket(), other_dimension)
    assert (lost.done.is_woken, other_dimension.done.is_woken) == (True, True)
    assert set(other_dimension.outcomes.values()) == {"internal_error"}
    assert (tracked.released, tracked.wire.expected) == (1, {})


def test_a_broker_that_goes_away_does_not_keep_tickets_waiting(tracked: Tracked) -> None:
    sent = tracked.send(ticket())
    tracked.wire.fault = Unavailable("broker_unavailable")
    tracked.pass_time(SHARD_PATIENCE_SECONDS)
    assert sent.done.is_woken


def test_the_thread_wakes_for_a_step_that_came_while_it_was_idle() -> None:
    wire = Wire()
    tracker = FanOutTracker(wire)
    stopped = threading.Event()
    thread = threading.Thread(target=_watch_until(stopped, tracker), daemon=True)
    thread.start()
    released = threading.Event()
    tracker.send([ticket()], released.set)
    assert released.wait(5)
    stopped.set()
    wire.answer(0, 0, 1)
    tracker.send([ticket()], released.set)
    thread.join(5)
    assert not thread.is_alive()


def _watch_until(stopped: threading.Event, tracker: FanOutTracker) -> Callable[[], None]:
    def run() -> None:
        while not stopped.is_set():
            tracker.watch()

    return run
