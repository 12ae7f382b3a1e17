"""A beat sends only while it may believe in its lease, whatever becomes of it or of Postgres."""

import pytest
from django.db import OperationalError

from embeddings_app.services.jobs.beat_lease import LEASE_SECONDS, RENEW_SECONDS, BeatLease


class Shelf:
    """A book of leases under a clock that only the test moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.away = False
        self.holder = ""
        self.until = 0.0
        self.asked = 0

    def clock(self) -> float:
        return self.now

    def take(self, holder: str) -> bool:
        self.asked += 1
        if self.away:
            raise OperationalError
        if self.holder not in ("", holder) and self.now < self.until:
            return False
        self.holder, self.until = holder, self.now + LEASE_SECONDS
        return True

    def give_back(self, holder: str) -> None:
        if self.away:
            raise OperationalError
        if self.holder == holder:
            self.holder = ""


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def beat(shelf: Shelf, name: str) -> BeatLease:
    return BeatLease(name, shelf, shelf.clock)


def test_one_of_two_sends_and_the_other_takes_over_when_the_first_is_silent(shelf: Shelf) -> None:
    first, second = beat(shelf, "first"), beat(shelf, "second")
    for _ in range(20):
        shelf.now += 0.5
        assert (first.keep(), second.keep()) == (True, False)
    died_at = shelf.now
    while not second.keep():
        shelf.now += 0.5
    assert shelf.now - died_at < 8.0


def test_the_lease_is_asked_for_seldom(shelf: Shelf) -> None:
    first = beat(shelf, "first")
    for _ in range(1_000):
        shelf.now += 0.01
        first.keep()
    assert shelf.asked <= 10.0 / RENEW_SECONDS + 1


def test_without_postgres_it_stops_before_another_may_begin(shelf: Shelf) -> None:
    first = beat(shelf, "first")
    assert first.keep()
    shelf.away = True
    while first.keep():
        shelf.now += 0.1
    assert shelf.now < shelf.until
    shelf.away, shelf.now = False, shelf.until + 1.0
    assert first.keep()


def test_one_that_was_frozen_does_not_send_when_it_wakes(shelf: Shelf) -> None:
    first, second = beat(shelf, "first"), beat(shelf, "second")
    assert first.keep()
    shelf.now += LEASE_SECONDS + 1.0
    assert second.keep()
    assert not first.is_held
    assert not first.keep()


def test_what_is_given_back_is_free_at_once(shelf: Shelf) -> None:
    first, second = beat(shelf, "first"), beat(shelf, "second")
    assert first.keep()
    first.give_back()
    assert second.keep()
    assert not first.keep()


def test_a_lease_that_cannot_be_given_back_is_not_used_any_more(shelf: Shelf) -> None:
    first = beat(shelf, "first")
    assert first.keep()
    shelf.away = True
    first.give_back()
    assert not first.is_held
