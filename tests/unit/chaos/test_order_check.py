"""C3 finds what it is for, and nothing else."""

from tests.chaos.checks.order import Registers
from tests.unit.chaos.scenes import delete, found_by, get, search, seen, upsert


def test_a_read_of_a_version_that_was_replaced_breaks_the_register() -> None:
    writes = (upsert("a", 1, 0, 1), upsert("a", 2, 2, 3))
    assert len(found_by(Registers(), *writes, get(4, 5, "a", seen("a", 1)))) == 1
    assert found_by(Registers(), *writes, get(2.5, 5, "a", seen("a", 1))) == []
    assert found_by(Registers(), *writes, get(4, 5, "a", seen("a", 2))) == []


def test_a_version_with_the_text_of_another_breaks_the_register() -> None:
    assert len(found_by(Registers(), upsert("a", 2, 0, 1), get(4, 5, "a", seen("a", 2, text_version=1)))) == 1


def test_a_document_that_is_said_not_to_be_there_while_it_lives_breaks_the_register() -> None:
    assert len(found_by(Registers(), upsert("a", 1, 0, 1), get(4, 5, "a"))) == 1


def test_revisions_that_fall_break_the_register() -> None:
    assert len(found_by(Registers(), upsert("a", 1, 0, 1, revision=7), upsert("a", 2, 2, 3, revision=6))) == 1


def test_two_writes_with_one_revision_break_the_register() -> None:
    assert len(found_by(Registers(), upsert("a", 1, 0, 3, revision=7), upsert("a", 2, 1, 2, revision=7))) == 1


def test_a_delete_of_what_is_deleted_shares_the_revision_of_the_tombstone() -> None:
    writes = (upsert("a", 1, 0, 1), delete("a", 2, 3, revision=2), delete("a", 4, 5, revision=2))
    assert found_by(Registers(), *writes) == []


def test_writers_at_once_may_be_told_their_revisions_in_any_order() -> None:
    assert found_by(Registers(), upsert("a", 1, 0, 3, revision=8), upsert("a", 2, 1, 4, revision=7)) == []


def test_a_read_that_goes_back_breaks_the_register() -> None:
    unknown = upsert("a", 2, 2, 9, status=503)
    first, second = get(4, 5, "a", seen("a", 2, revision=2)), get(6, 7, "a", seen("a", 1, revision=1))
    assert len(found_by(Registers(), upsert("a", 1, 0, 1), unknown, first, second)) == 1
    assert found_by(Registers(), upsert("a", 1, 0, 1), unknown, second, get(8, 9, "a", seen("a", 2, revision=2))) == []


def test_a_version_under_the_revision_of_another_breaks_the_register() -> None:
    assert len(found_by(Registers(), upsert("a", 1, 0, 1), get(4, 5, "a", seen("a", 1, revision=3)))) == 1


def test_the_write_that_loses_to_a_higher_revision_is_not_shown_later() -> None:
    writes = (upsert("a", 1, 0, 3, revision=8), upsert("a", 2, 1, 2, revision=7))
    assert len(found_by(Registers(), *writes, search(4, 5, seen("a", 2)))) == 1
    assert found_by(Registers(), *writes, search(4, 5, seen("a", 1))) == []
