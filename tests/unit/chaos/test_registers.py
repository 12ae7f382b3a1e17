"""What a read may show of a document, given the writes that were tried."""

from tests.chaos.registers import registers_of
from tests.unit.chaos.scenes import delete, upsert


def test_only_the_last_acknowledged_write_may_be_read_when_nothing_else_was_tried() -> None:
    register = registers_of((upsert("a", 1, 0, 1), upsert("a", 2, 2, 3)))["a"]
    assert register.versions(4, 5) == {2}


def test_a_write_that_runs_may_be_read_or_not() -> None:
    register = registers_of((upsert("a", 1, 0, 1), upsert("a", 2, 2, 6)))["a"]
    assert register.versions(4, 5) == {1, 2}
    assert register.versions(1, 1.5) == {1}


def test_an_unknown_write_stays_possible_until_the_next_acknowledged_one() -> None:
    register = registers_of((upsert("a", 1, 0, 1), upsert("a", 2, 2, 3, status=503), upsert("a", 3, 8, 9)))["a"]
    assert register.versions(4, 5) == {1, 2}
    assert register.versions(9, 10) == {3}


def test_a_refused_write_never_happened() -> None:
    register = registers_of((upsert("a", 1, 0, 1), upsert("a", 2, 2, 3, status=429)))["a"]
    assert register.versions(4, 5) == {1}


def test_before_the_first_acknowledged_write_a_document_may_be_absent() -> None:
    register = registers_of((upsert("a", 1, 2, 3),))["a"]
    assert register.versions(0, 1) == {0}
    assert register.versions(0, 2.5) == {0, 1}


def test_a_delete_is_a_write_of_nothing() -> None:
    register = registers_of((upsert("a", 1, 0, 1), delete("a", 2, 3)))["a"]
    assert register.versions(4, 5) == {0}
    assert register.undisturbed(4, 5) is not None
    assert register.undisturbed(1, 2.5) is None
