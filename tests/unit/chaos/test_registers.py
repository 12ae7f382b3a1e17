"""What a read may show of a document, given the writes that were tried."""

from dataclasses import replace

from tests.chaos.content import Place
from tests.chaos.registers import registers_of
from tests.unit.chaos.scenes import delete, upsert

A = Place("red", "a")


def test_only_the_last_acknowledged_write_may_be_read_when_nothing_else_was_tried() -> None:
    register = registers_of((upsert("a", 1, 0, 1), upsert("a", 2, 2, 3)))[A]
    assert register.versions(4, 5) == {2}


def test_a_write_that_runs_may_be_read_or_not() -> None:
    register = registers_of((upsert("a", 1, 0, 1), upsert("a", 2, 2, 6)))[A]
    assert register.versions(4, 5) == {1, 2}
    assert register.versions(1, 1.5) == {1}


def test_an_unknown_write_stays_possible_until_the_next_acknowledged_one() -> None:
    register = registers_of((upsert("a", 1, 0, 1), upsert("a", 2, 2, 3, status=503), upsert("a", 3, 8, 9)))[A]
    assert register.versions(4, 5) == {1, 2}
    assert register.versions(9, 10) == {3}


def test_a_refused_write_never_happened() -> None:
    register = registers_of((upsert("a", 1, 0, 1), upsert("a", 2, 2, 3, status=429)))[A]
    assert register.versions(4, 5) == {1}


def test_before_the_first_acknowledged_write_a_document_may_be_absent() -> None:
    register = registers_of((upsert("a", 1, 2, 3),))[A]
    assert register.versions(0, 1) == {0}
    assert register.versions(0, 2.5) == {0, 1}


def test_a_delete_is_a_write_of_nothing() -> None:
    register = registers_of((upsert("a", 1, 0, 1), delete("a", 2, 3)))[A]
    assert register.versions(4, 5) == {0}
    assert register.undisturbed(4, 5) is not None
    assert register.undisturbed(1, 2.5) is None


def test_of_two_writers_at_once_the_higher_revision_wins() -> None:
    first, second = upsert("a", 1, 0, 3, revision=8), upsert("a", 2, 1, 2, revision=7)
    register = registers_of((first, second))[A]
    assert register.versions(4, 5) == {1}
    assert register.versions(2.5, 2.6) == {1, 2}


def test_a_write_with_a_lower_revision_than_an_acknowledged_one_is_behind_it() -> None:
    slow, quick = upsert("a", 1, 0, 9, revision=1), upsert("a", 2, 1, 2, revision=2)
    assert registers_of((slow, quick))[A].versions(4, 5) == {2}


def test_a_write_that_was_given_up_may_come_after_all_until_one_sent_later_is_acknowledged() -> None:
    lost = upsert("a", 1, 0, 3, status=503)
    beside, later = upsert("a", 2, 2, 4, revision=2), upsert("a", 3, 5, 6, revision=3)
    register = registers_of((lost, beside, later))[A]
    assert register.versions(4.5, 4.6) == {1, 2}
    assert register.versions(7, 8) == {3}


def test_the_same_id_in_two_namespaces_is_two_documents() -> None:
    other = upsert("a", 2, 2, 3)
    other = replace(other, asked=replace(other.asked, namespace="blue"))
    registers = registers_of((upsert("a", 1, 0, 1), other))
    assert registers[A].versions(4, 5) == {1}
    assert registers[Place("blue", "a")].versions(4, 5) == {2}
