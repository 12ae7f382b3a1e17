"""The coalescer: at once when idle, together when busy, and never what is too late."""

import threading
from collections.abc import Callable

from embeddings_app.services.search.coalescer import Coalescer
from embeddings_app.services.search.tickets import SearchTicket
from tests.unit.services.search.fanout_builders import ticket


class Fanouts:
    """Notes what leaves together; the test frees the slots."""

    def __init__(self) -> None:
        self.sent: list[list[SearchTicket]] = []
        self._releases: list[Callable[[], None]] = []
        self._left = threading.Condition()
        self.coalescer = Coalescer(self._send)

    def _send(self, tickets: list[SearchTicket], release: Callable[[], None]) -> None:
        with self._left:
            self.sent.append(tickets)
            self._releases.append(release)
            self._left.notify_all()

    def free_slot(self) -> None:
        self._releases.pop(0)()

    def wait_for(self, count: int) -> None:
        with self._left:
            assert self._left.wait_for(lambda: len(self.sent) >= count, 5)


def test_two_leave_at_once_and_the_rest_leave_together() -> None:
    fanouts = Fanouts()
    tickets = [ticket() for _ in range(12)]
    for each in tickets:
        fanouts.coalescer.submit(each)
    assert fanouts.sent == [tickets[:1], tickets[1:2]]
    fanouts.free_slot()
    fanouts.wait_for(3)
    assert fanouts.sent[2] == tickets[2:]


def test_a_slot_that_nobody_waits_for_serves_the_next_at_once() -> None:
    fanouts = Fanouts()
    for count in range(1, 6):
        fanouts.coalescer.submit(ticket())
        assert len(fanouts.sent) == count
        fanouts.free_slot()


def test_queries_of_two_models_do_not_share_a_fanout() -> None:
    fanouts = Fanouts()
    for version_key in (1, 1, 1, 2, 1, 2):
        fanouts.coalescer.submit(ticket(version_key))
    fanouts.free_slot()
    fanouts.free_slot()
    fanouts.wait_for(4)
    keys = [{each.query.version_key for each in tickets} for tickets in fanouts.sent[2:]]
    assert sorted(map(sorted, keys)) == [[1], [2]]


def test_the_cost_of_a_fanout_is_bounded() -> None:
    fanouts = Fanouts()
    for _ in range(12):
        fanouts.coalescer.submit(ticket(exact=True))
    fanouts.free_slot()
    fanouts.wait_for(3)
    assert len(fanouts.sent[2]) == 4


def test_a_ticket_whose_deadline_passed_while_it_waited_is_not_sent() -> None:
    fanouts = Fanouts()
    late, in_time = ticket(seconds=-0.001), ticket()
    for each in (ticket(), ticket(), late, in_time):
        fanouts.coalescer.submit(each)
    fanouts.free_slot()
    fanouts.wait_for(3)
    assert fanouts.sent[2] == [in_time]
    assert late.done.is_woken
    assert set(late.outcomes.values()) == {"index_unavailable"}
