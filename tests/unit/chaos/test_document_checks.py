"""C1, C2 and C4 find what they are for, and nothing else."""

from tests.chaos.checks.documents import Lost, Resurrected, Strangers
from tests.chaos.final_state import AUDITOR
from tests.unit.chaos.scenes import delete, found_by, get, search, seen, upsert


def test_a_document_that_is_read_and_found_in_the_end_is_not_lost() -> None:
    read = get(5, 6, "a", seen("a", 1), client=AUDITOR)
    found = search(6, 7, seen("a", 1), doc_id="a", text_version=1, client=AUDITOR)
    assert found_by(Lost(), upsert("a", 1, 0, 1), read, found) == []


def test_a_document_that_is_gone_in_the_end_is_lost() -> None:
    (violation,) = found_by(Lost(), upsert("a", 1, 0, 1), get(5, 6, "a", client=AUDITOR))
    assert violation.startswith("red/a is gone")


def test_a_document_whose_delete_is_unknown_may_be_gone() -> None:
    writes = (upsert("a", 1, 0, 1), delete("a", 2, 3, status=503))
    assert found_by(Lost(), *writes, get(5, 6, "a", client=AUDITOR)) == []


def test_a_document_that_is_there_and_not_found_by_its_text_is_lost() -> None:
    read = get(5, 6, "a", seen("a", 1), client=AUDITOR)
    for missing in (
        search(6, 7, doc_id="a", text_version=1, client=AUDITOR),
        search(6, 7, seen("a", 1, stale=True), doc_id="a", text_version=1, client=AUDITOR),
        search(6, 7, seen("a", 1), doc_id="a", text_version=1, partial=True, client=AUDITOR),
    ):
        assert len(found_by(Lost(), upsert("a", 1, 0, 1), read, missing)) == 1


def test_a_document_that_nobody_read_in_the_end_counts_as_lost() -> None:
    assert found_by(Lost(), upsert("a", 1, 0, 1)) == ["red/a was never read in the end"]


def test_a_hit_after_the_delete_was_acknowledged_is_a_resurrection() -> None:
    writes = (upsert("a", 1, 0, 1), delete("a", 2, 3))
    assert len(found_by(Resurrected(), *writes, search(4, 5, seen("a", 1)))) == 1
    assert found_by(Resurrected(), *writes, search(2.5, 5, seen("a", 1))) == []
    assert found_by(Resurrected(), *writes, upsert("a", 2, 4.5, 6, revision=100), search(4, 5, seen("a", 2))) == []


def test_doubles_phantoms_foreigners_and_what_the_filter_excludes_are_strangers() -> None:
    write = upsert("a", 1, 0, 1)
    for answer in (
        search(4, 5, seen("a", 1), seen("a", 1)),
        search(4, 5, seen("b", 1)),
        search(4, 5, seen("a", 1, namespace="blue")),
        search(4, 5, seen("a", 1), condition=("parity", 0)),
    ):
        assert len(found_by(Strangers(), write, answer)) == 1
    assert found_by(Strangers(), write, search(4, 5, seen("a", 1), condition=("parity", 1))) == []
