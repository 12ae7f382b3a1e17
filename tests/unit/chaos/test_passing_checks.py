"""Documents that go by filter or with their namespace, are listed, and are changed by filter or on condition."""

from tests.chaos.checks.answers import Honesty
from tests.chaos.checks.documents import Resurrected
from tests.chaos.checks.order import Registers
from tests.chaos.checks.passing import Changes, Listings
from tests.chaos.content import Place
from tests.chaos.history import ABSENT, UNKNOWN_NAMESPACE, Answered, Asked, Kind
from tests.chaos.registers import registers_of
from tests.unit.chaos.scenes import (
    claim,
    drop,
    found_by,
    get,
    listing,
    mark,
    operation,
    search,
    seen,
    sweep,
    upsert,
)

A = Place("red", "a")


def test_an_acknowledged_sweep_leaves_nothing_that_passed_before_it() -> None:
    register = registers_of((upsert("a", 1, 0, 1), sweep(2, 3)))[A]
    assert register.versions(2.5, 2.6) == {1, ABSENT}
    assert register.versions(4, 5) == {ABSENT}


def test_a_sweep_leaves_what_does_not_pass() -> None:
    register = registers_of((upsert("a", 2, 0, 1), sweep(2, 3)))[A]
    assert register.versions(2.5, 5) == {2}
    assert found_by(Registers(), upsert("a", 2, 0, 1), sweep(2, 3), get(4, 5, "a")) != []


def test_a_write_beside_a_sweep_may_be_gone_or_not() -> None:
    history = (upsert("a", 2, 0, 1), upsert("a", 3, 2, 3, revision=5), sweep(2.5, 3.5))
    register = registers_of(history)[A]
    assert register.versions(4, 5) == {3, ABSENT}
    assert registers_of((*history, upsert("a", 4, 6, 7, revision=8)))[A].versions(8, 9) == {4}


def test_a_write_that_does_not_pass_outlives_a_sweep_beside_it() -> None:
    history = (upsert("a", 1, 0, 1), sweep(2, 4), upsert("a", 2, 2.5, 3))
    assert registers_of(history)[A].versions(3.2, 3.4) == {2}
    assert registers_of(history)[A].versions(5, 6) == {2}


def test_a_sweep_without_an_answer_stays_possible_until_the_next_acknowledged_write() -> None:
    history = (upsert("a", 1, 0, 1), sweep(2, 3, status=503))
    assert registers_of(history)[A].versions(9, 10) == {1, ABSENT}
    assert registers_of((*history, upsert("a", 3, 11, 12)))[A].versions(13, 14) == {3}


def test_what_a_sweep_left_behind_is_seen_in_answers() -> None:
    shown = search(4, 5, seen("a", 1))
    assert len(found_by(Resurrected(), upsert("a", 1, 0, 1), sweep(2, 3), shown)) == 1
    assert found_by(Resurrected(), upsert("a", 1, 0, 1), sweep(2, 4.5), shown) == []


def test_after_a_drop_revisions_begin_again() -> None:
    history = (upsert("a", 1, 0, 1, revision=9), drop(2, 3), upsert("a", 2, 4, 5, revision=1))
    assert registers_of(history)[A].versions(3.5, 3.6) == {ABSENT}
    assert registers_of(history)[A].versions(6, 7) == {2}
    assert found_by(Registers(), *history, get(6, 7, "a", seen("a", 2, revision=1))) == []
    assert found_by(Resurrected(), *history, get(3.1, 3.2, "a", seen("a", 1, revision=9))) != []


def test_while_a_drop_runs_a_read_may_be_of_before_or_after_it() -> None:
    history = (upsert("a", 1, 0, 1), drop(2, 4), upsert("a", 2, 2.5, 3, revision=1))
    assert registers_of(history)[A].versions(3.2, 3.5) == {ABSENT, 1, 2}
    assert registers_of(history)[A].versions(5, 6) == {ABSENT, 2}


def test_a_namespace_is_unknown_only_when_nothing_of_it_can_be_there() -> None:
    asked = Asked(kind=Kind.SEARCH, namespace="red", limit_seconds=2)
    unknown = operation(asked, Answered(status=404, code=UNKNOWN_NAMESPACE), 4, 5)
    assert found_by(Registers(), upsert("a", 1, 0, 1), drop(2, 3), unknown) == []
    (violation,) = found_by(Registers(), upsert("a", 1, 0, 1), unknown)
    assert violation.startswith("the namespace of red/a was said not to be there")


def test_a_listing_has_what_lived_throughout() -> None:
    writes = (upsert("a", 1, 0, 1), upsert("b", 1, 0, 1), upsert("c", 2, 0, 1))
    assert found_by(Listings(), *writes, listing(2, 3, seen("a", 1), seen("b", 1), seen("c", 2))) == []
    assert len(found_by(Listings(), *writes, listing(2, 3, seen("a", 1), seen("c", 2)))) == 1
    assert found_by(Listings(), *writes, sweep(2.5, 4), listing(2, 3, seen("c", 2))) == []
    assert found_by(Listings(), *writes, listing(2, 3, seen("b", 1), seen("a", 1), condition=("parity", 1))) == []
    assert len(found_by(Listings(), *writes, listing(2, 3, seen("c", 2), seen("a", 1), seen("b", 1)))) == 1


def test_a_mark_is_there_once_it_was_acknowledged_until_the_document_is_written_again() -> None:
    history = (upsert("a", 1, 0, 1), mark(7, 2, 3))
    assert found_by(Changes(), *history, get(4, 5, "a", seen("a", 1, mark=7))) == []
    assert len(found_by(Changes(), *history, get(4, 5, "a", seen("a", 1)))) == 1
    assert found_by(Changes(), *history, get(2.5, 5, "a", seen("a", 1))) == []
    assert found_by(Changes(), *history, upsert("a", 3, 4, 5, revision=3), get(6, 7, "a", seen("a", 3))) == []
    later = (*history, mark(8, 4, 5))
    assert len(found_by(Changes(), *later, get(6, 7, "a", seen("a", 1, mark=7)))) == 1


def test_a_mark_is_on_nothing_that_the_filter_excludes() -> None:
    assert len(found_by(Changes(), upsert("a", 2, 0, 1), mark(7, 2, 3), get(4, 5, "a", seen("a", 2, mark=7)))) == 1


def test_a_marked_document_has_a_later_revision() -> None:
    history = (upsert("a", 1, 0, 1), mark(7, 2, 3))
    assert found_by(Registers(), *history, get(4, 5, "a", seen("a", 1, revision=2))) == []
    assert len(found_by(Registers(), *history, get(4, 5, "a", seen("a", 1, revision=3)))) == 1


def test_a_write_on_condition_follows_the_revision_that_it_names() -> None:
    assert found_by(Changes(), upsert("a", 1, 0, 1), claim("a", 2, 2, 3, at=1, revision=2)) == []
    assert len(found_by(Changes(), upsert("a", 1, 0, 1), claim("a", 2, 2, 3, at=1, revision=3))) == 1
    assert len(found_by(Changes(), upsert("a", 1, 0, 1), claim("a", 2, 2, 3, at=0, revision=2))) == 1


def test_a_write_on_condition_is_refused_only_at_another_revision() -> None:
    refused = claim("a", 2, 2, 3, at=1, status=409)
    assert len(found_by(Changes(), upsert("a", 1, 0, 1), refused)) == 1
    assert found_by(Changes(), upsert("a", 1, 0, 1), upsert("a", 3, 1.5, 2.5, revision=2), refused) == []
    assert found_by(Changes(), upsert("a", 1, 0, 1), mark(7, 1.5, 1.8), refused) == []


def test_a_document_is_found_by_its_words_before_it_has_a_vector() -> None:
    written = upsert("a", 1, 0, 1, state="pending")
    assert len(found_by(Honesty(), written, search(2, 3, doc_id="a", text_version=1, mode="text"))) == 1
    assert found_by(Honesty(), written, search(2, 3, doc_id="a", text_version=1)) == []
    assert found_by(Honesty(), written, search(2, 3, doc_id="a", text_version=2, mode="text")) == []
