"""Heavy searches of a process stand in a line: one is under way, some wait, and what would be too late is refused."""

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import pytest

from embedding_project.contracts.errors import Unavailable
from embedding_project.contracts.queues import SearchLane
from embeddings_app.services.search.carrier import TOO_SLOW
from embeddings_app.services.search.heavy_line import MOST_IN_LINE, HeavyLine
from embeddings_app.services.search.tickets import SearchTicket
from tests.unit.services.search.fanout_builders import HITS, ticket

PATIENCE_SECONDS = 5.0


class Shards:
    """Stands for the carrier: notes what leaves, and brings it back when the test says so."""

    def __init__(self) -> None:
        self.now = 0.0
        self.takes = 0.0
        self.left: list[SearchTicket] = []
        self.at_once = self.most_at_once = 0
        self.line = HeavyLine(lambda: self, lambda: self.now)  # type: ignore[arg-type, return-value]
        self.faults: list[str] = []
        self._back = threading.Semaphore(0)
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []

    def carry(self, tickets: Sequence[SearchTicket], _: Callable[[], None]) -> None:
        with self._changed:
            self.left += tickets
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            self._changed.notify_all()
        assert self._back.acquire(timeout=PATIENCE_SECONDS)
        self.now += self.takes
        self.at_once -= 1
        for shard in tickets[0].shards:
            tickets[0].land(shard, HITS)

    def search(self, *tickets: SearchTicket) -> None:
        for each in tickets:
            known = self._known()
            thread = threading.Thread(target=self._search, args=(each,))
            self._threads.append(thread)
            thread.start()
            self.until(partial(self._knows, known + 1))

    def _known(self) -> int:
        return self.line.length + len(self.faults)

    def _knows(self, count: int) -> bool:
        return self._known() >= count

    def _search(self, each: SearchTicket) -> None:
        try:
            self.line.carry(each)
        except Unavailable as error:
            self.faults.append(f"{error.code} {error.retry_after_seconds}")

    def bring_back(self, count: int = 1) -> None:
        for _ in range(count):
            self._back.release()

    def until(self, condition: Callable[[], bool]) -> None:
        pause = threading.Event()
        for _ in range(1_000):
            if condition():
                return
            pause.wait(0.005)
        raise AssertionError("what was waited for did not happen")

    def end(self) -> None:
        self.bring_back(len(self._threads))
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive()


@pytest.fixture
def shards() -> Iterator[Shards]:
    made = Shards()
    yield made
    made.end()


def heavy(cost_seconds: float = 0.1, seconds: float = 30.0) -> SearchTicket:
    return ticket(seconds=seconds, microseconds=1_000_000 * cost_seconds, lane=SearchLane.HEAVY)


def test_they_leave_one_after_the_other_in_their_order(shards: Shards) -> None:
    tickets = [heavy() for _ in range(4)]
    shards.search(*tickets)
    assert shards.left == tickets[:1]
    shards.bring_back(4)
    shards.until(lambda: shards.line.length == 0)
    assert (shards.left, shards.most_at_once) == (tickets, 1)
    assert all(each.outcomes == {0: HITS, 1: HITS} for each in tickets)


def test_when_the_line_is_full_further_ones_are_refused(shards: Shards) -> None:
    shards.search(*(heavy() for _ in range(MOST_IN_LINE + 3)))
    assert shards.faults == ["overloaded 1"] * 3
    assert shards.line.length == MOST_IN_LINE


def test_one_that_would_be_too_late_is_refused_and_told_when_to_come_again(shards: Shards) -> None:
    shards.search(heavy(1.5), heavy(1.5), heavy(1.0, seconds=3.9), heavy(0.1, seconds=3.9))
    assert shards.faults == ["overloaded 3"]
    assert shards.line.length == 3


def test_where_nothing_waits_every_search_may_try(shards: Shards) -> None:
    shards.search(heavy(100.0, seconds=2.0))
    assert (shards.faults, len(shards.left)) == ([], 1)


def test_when_searches_take_longer_than_estimated_fewer_may_wait(shards: Shards) -> None:
    shards.takes = 4.0
    for number in range(10):
        shards.search(heavy(1.0))
        shards.bring_back()
        shards.until(lambda: shards.line.length == 0)
        assert len(shards.left) == number + 1
    shards.search(heavy(1.0), heavy(1.0, seconds=7.0), heavy(1.0, seconds=9.0))
    assert shards.faults == ["overloaded 4"]
    assert shards.line.length == 2


def test_one_that_waits_in_vain_leaves_the_line_at_its_deadline_and_is_not_sent(shards: Shards) -> None:
    first, late, last = heavy(0.001), heavy(0.001, seconds=0.2), heavy(0.001)
    shards.search(first, late, last)
    shards.until(lambda: shards.line.length == 2)
    assert set(late.outcomes.values()) == {TOO_SLOW}
    shards.bring_back()
    shards.until(lambda: len(shards.left) == 2)
    assert shards.left == [first, last]
