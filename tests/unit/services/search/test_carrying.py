"""Searches travel together: at once when a way is free, together when none is, and never when it is too late."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial

import pytest

from embeddings_app.services.search.carrying import MAX_MICROSECONDS, Carrying
from embeddings_app.services.search.tickets import SearchTicket
from tests.unit.services.search.fanout_builders import ticket

PATIENCE_SECONDS = 5.0


class FanOuts:
    """Stands for all carriers: notes what leaves together, and brings it back when the test says so."""

    def __init__(self) -> None:
        self.left: list[Sequence[SearchTicket]] = []
        self.finished: list[Sequence[SearchTicket]] = []
        self.fault: Exception | None = None
        self._back: list[threading.Event] = []
        self._overdue: list[Callable[[], None]] = []
        self._changed = threading.Condition()
        self.carrying = Carrying(lambda: self, self._finish)  # type: ignore[arg-type, return-value]
        self._threads: list[threading.Thread] = []

    def carry(self, tickets: Sequence[SearchTicket], on_overdue: Callable[[], None]) -> None:
        back = threading.Event()
        with self._changed:
            self.left.append(tickets)
            self._back.append(back)
            self._overdue.append(on_overdue)
            self._changed.notify_all()
        assert back.wait(PATIENCE_SECONDS)

    def _finish(self, tickets: Sequence[SearchTicket]) -> None:
        self.finished.append(tickets)
        if self.fault:
            raise self.fault

    def search(self, *tickets: SearchTicket) -> None:
        """Each in a thread of its own, in order."""
        for each in tickets:
            thread = threading.Thread(target=self._search, args=(each,))
            self._threads.append(thread)
            known = self._known() + 1
            thread.start()
            self._until(partial(self._knows, known))

    def search_all(self, *tickets: SearchTicket) -> None:
        """All in one thread."""
        thread = threading.Thread(target=self._search_all, args=(tickets,))
        self._threads.append(thread)
        known = self._known() + len(tickets)
        thread.start()
        self._until(partial(self._knows, known))

    def _search(self, each: SearchTicket) -> None:
        with suppress(RuntimeError):
            self.carrying.carry(each)

    def _search_all(self, tickets: Sequence[SearchTicket]) -> None:
        with suppress(RuntimeError):
            self.carrying.carry_all(tickets)

    def _known(self) -> int:
        return self.carrying.waiting + sum(len(tickets) for tickets in self.left)

    def _knows(self, count: int) -> bool:
        return self._known() >= count

    def has_finished(self, count: int) -> bool:
        """Whether so many fan-outs are finished."""
        return len(self.finished) >= count

    def bring_back(self, number: int) -> None:
        self._back[number].set()

    def let_others_go(self, number: int) -> None:
        self._overdue[number]()

    def wait_for(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.left) >= count, PATIENCE_SECONDS)

    def _until(self, condition: Callable[[], bool]) -> None:
        pause = threading.Event()
        for _ in range(1_000):
            if condition():
                return
            pause.wait(0.005)
        raise AssertionError("a search neither left nor waits")

    def end(self) -> None:
        """Bring everything back that is or will be under way; all searches must return."""
        number = 0
        while any(thread.is_alive() for thread in self._threads):
            if number < len(self._back):
                self._back[number].set()
                number += 1
            else:
                threading.Event().wait(0.002)
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)


@contextmanager
def started() -> Iterator[FanOuts]:
    fanouts = FanOuts()
    yield fanouts
    fanouts.end()


@pytest.fixture
def fanouts() -> Iterator[FanOuts]:
    with started() as found:
        yield found


def test_two_leave_at_once_and_the_rest_leave_together(fanouts: FanOuts) -> None:
    tickets = [ticket() for _ in range(12)]
    fanouts.search(*tickets)
    assert fanouts.left == [tickets[:1], tickets[1:2]]
    fanouts.bring_back(0)
    fanouts.wait_for(3)
    assert fanouts.left[2] == tickets[2:]


def test_a_way_that_nobody_waits_for_serves_the_next_at_once(fanouts: FanOuts) -> None:
    for count in range(1, 6):
        fanouts.search(ticket())
        assert len(fanouts.left) == count
        fanouts.bring_back(count - 1)
        fanouts._until(partial(fanouts.has_finished, count))


def test_an_overdue_fanout_lets_others_go_and_counts_once(fanouts: FanOuts) -> None:
    fanouts.search(*(ticket() for _ in range(4)))
    fanouts.let_others_go(0)
    fanouts.wait_for(3)
    fanouts.let_others_go(0)
    fanouts.bring_back(0)
    fanouts.search(ticket())
    assert len(fanouts.left) == 3, "there are two ways, whatever came back twice"


def test_searches_of_two_models_do_not_share_a_fanout(fanouts: FanOuts) -> None:
    fanouts.search(*(ticket(version_key) for version_key in (1, 1, 1, 2, 1, 2)))
    fanouts.bring_back(0)
    fanouts.bring_back(1)
    fanouts.wait_for(4)
    keys = [{each.query.version_key for each in tickets} for tickets in fanouts.left[2:]]
    assert sorted(map(sorted, keys)) == [[1], [2]]


def test_the_cost_of_a_fanout_is_bounded(fanouts: FanOuts) -> None:
    fanouts.search(*(ticket(microseconds=MAX_MICROSECONDS / 4) for _ in range(12)))
    fanouts.bring_back(0)
    fanouts.wait_for(3)
    assert len(fanouts.left[2]) == 4


def test_a_search_that_waited_in_vain_returns_at_its_deadline_and_is_not_sent(fanouts: FanOuts) -> None:
    late, in_time = ticket(seconds=0.05), ticket()
    fanouts.search(ticket(), ticket(), late, in_time)
    fanouts._until(lambda: fanouts.carrying.waiting == 1)
    fanouts.bring_back(0)
    fanouts.wait_for(3)
    assert fanouts.left[2] == [in_time]


def test_a_leader_whose_end_fails_leaves_nobody_waiting() -> None:
    fanouts = FanOuts()
    fanouts.fault = RuntimeError("unforeseen")
    tickets = [ticket(seconds=60) for _ in range(6)]
    fanouts.search(*tickets)
    fanouts.end()
    assert sum(len(each) for each in fanouts.finished) == 6


def test_searches_of_one_thread_leave_together(fanouts: FanOuts) -> None:
    tickets = [ticket() for _ in range(5)]
    fanouts.search_all(*tickets)
    assert fanouts.left == [tickets]


def test_searches_of_one_thread_wait_and_leave_with_others(fanouts: FanOuts) -> None:
    fanouts.search(ticket(), ticket())
    mine, other = [ticket() for _ in range(3)], ticket()
    fanouts.search_all(*mine)
    fanouts.search(other)
    fanouts.bring_back(1)
    fanouts.wait_for(3)
    assert fanouts.left[2] == [*mine, other]


def test_searches_of_one_thread_that_cannot_share_leave_after_each_other(fanouts: FanOuts) -> None:
    first, second, third = ticket(1), ticket(2), ticket(1)
    fanouts.search_all(first, second, third)
    assert fanouts.left == [[first, third]]
    fanouts.bring_back(0)
    fanouts.wait_for(2)
    assert fanouts.left[1] == [second]


def test_a_thread_that_carries_keeps_no_way_for_its_other_searches(fanouts: FanOuts) -> None:
    mine = [ticket(1), ticket(2), ticket(3)]
    fanouts.search_all(*mine)
    fanouts.let_others_go(0)
    others = [ticket(4), ticket(5), ticket(6)]
    fanouts.search(*others)
    assert fanouts.left == [[mine[0]], [others[0]], [others[1]]], "both ways are of use while the thread waits"
    fanouts.bring_back(0)
    fanouts._until(lambda: mine[0].party is not None and not mine[0].party.carries)
    fanouts.bring_back(1)
    fanouts.wait_for(4)
    assert fanouts.left[3] == [mine[1]], "it has waited longest, and its thread is free now"
    fanouts.bring_back(2)
    fanouts.wait_for(5)
    assert fanouts.left[4] == [others[2]]
    fanouts.bring_back(3)
    fanouts.wait_for(6)
    assert fanouts.left[5] == [mine[2]]


def test_a_thread_leads_one_search_while_another_thread_carries_one_of_its(fanouts: FanOuts) -> None:
    under_way, mine = [ticket(3), ticket(3)], [ticket(1), ticket(2)]
    fanouts.search(*under_way, ticket(1))
    fanouts.search_all(*mine)
    fanouts.bring_back(0)
    fanouts.wait_for(3)
    assert mine[0] in fanouts.left[2]
    fanouts.bring_back(1)
    fanouts.wait_for(4)
    assert fanouts.left[3] == [mine[1]]


def test_searches_of_one_thread_return_together_when_all_are_finished(fanouts: FanOuts) -> None:
    fanouts.search(ticket(3), ticket(3), ticket(1))
    mine = [ticket(1), ticket(1)]
    fanouts.search_all(*mine)
    fanouts.bring_back(0)
    fanouts.wait_for(3)
    assert fanouts.left[2][1:] == mine
    fanouts.bring_back(2)
    fanouts._until(lambda: all(one.is_finished for one in mine))


def test_searches_of_one_thread_give_up_at_their_deadline(fanouts: FanOuts) -> None:
    fanouts.search(ticket(3), ticket(3))
    fanouts.search_all(ticket(1, seconds=0.05), ticket(2, seconds=0.05))
    fanouts._until(lambda: fanouts.carrying.waiting == 0)
    fanouts.bring_back(0)
    later = ticket(4)
    fanouts.search(later)
    fanouts.wait_for(3)
    assert fanouts.left[2] == [later]


def test_a_fault_among_searches_of_one_thread_keeps_no_way() -> None:
    fanouts = FanOuts()
    fanouts.fault = RuntimeError("unforeseen")
    fanouts.search_all(ticket(1), ticket(2), ticket(3))
    fanouts.bring_back(0)
    fanouts._until(partial(fanouts.has_finished, 1))
    fanouts.end()
    fanouts.fault = None
    for count in range(2):
        fanouts.search(ticket())
        assert len(fanouts.left) == 2 + count
    fanouts.end()
