"""C5, C7 and C9 find what they are for, and nothing else."""

from dataclasses import replace

import pytest

from tests.chaos.checks.answers import Errors, Honesty, Liveness
from tests.chaos.conductor import Calm
from tests.chaos.faults.base import FaultRecord, parts_of
from tests.chaos.history import Answered, Asked, Kind
from tests.unit.chaos.scenes import EMPTY, evidence, found_by, operation, search, seen, upsert

GET = Asked(kind=Kind.GET, namespace="red", limit_seconds=10, doc_id="a")


def _fault(kind: str, target: str) -> FaultRecord:
    return FaultRecord(kind=kind, target=target, parts=parts_of(target), injected=3, healed=4)


def test_a_whole_answer_without_what_was_searchable_is_a_lie() -> None:
    write = upsert("a", 1, 0, 1, state="searchable")
    assert len(found_by(Honesty(), write, search(4, 5, doc_id="a", text_version=1))) == 1
    assert found_by(Honesty(), write, search(4, 5, seen("a", 1), doc_id="a", text_version=1)) == []


def test_what_was_only_indexed_may_be_missing_unless_the_search_has_its_token() -> None:
    write = upsert("a", 1, 0, 1, token="t")
    assert found_by(Honesty(), write, search(4, 5, doc_id="a", text_version=1)) == []
    assert len(found_by(Honesty(), write, search(4, 5, doc_id="a", text_version=1, token_of=write.number))) == 1


def test_a_search_for_anything_shows_every_document_that_is_searchable_and_passes_its_filter() -> None:
    writes = (upsert("a", 1, 0, 1, state="searchable"), upsert("b", 2, 0, 1, state="searchable"))
    assert len(found_by(Honesty(), *writes, search(4, 5, seen("a", 1)))) == 1
    assert found_by(Honesty(), *writes, search(4, 5, seen("a", 1), condition=("parity", 1))) == []
    assert len(found_by(Honesty(), *writes, search(4, 5, condition=("number", 2)))) == 1
    assert found_by(Honesty(), *writes, search(4, 5, condition=("word", 3))) == []


def test_what_is_being_rewritten_may_be_missing() -> None:
    writes = (upsert("a", 1, 0, 1, state="searchable"), upsert("a", 2, 4.5, 6))
    assert found_by(Honesty(), *writes, search(4, 5, doc_id="a", text_version=1)) == []


def test_a_partial_answer_needs_a_fault_of_the_search_near() -> None:
    answer = search(4, 5, partial=True)
    assert len(found_by(Honesty(), answer)) == 1
    for target, count in (("node-s0-r0", 0), ("api", 0), ("beat", 1)):
        case = replace(evidence(answer), faults=(_fault("kill", target),))
        assert len(list(Honesty().violations(case))) == count
    late = replace(evidence(search(40, 41, partial=True)), faults=(_fault("kill", "node-s0-r0"),))
    assert len(list(Honesty().violations(late))) == 1


def test_a_request_beyond_its_deadline_and_grace_is_found_unless_the_api_was_frozen() -> None:
    slow = evidence(search(2, 5.6))
    assert len(list(Liveness().violations(slow))) == 1
    assert list(Liveness().violations(evidence(search(2, 5.4)))) == []
    for kind, target, count in (("freeze", "api", 0), ("kill", "api", 1), ("freeze", "postgres", 1)):
        assert len(list(Liveness().violations(replace(slow, faults=(_fault(kind, target),))))) == count


def test_a_calm_that_ends_below_the_pace_of_before_is_found() -> None:
    assert len(list(Liveness().violations(replace(EMPTY, calms=(Calm(0, 30, 7.9),))))) == 1
    assert list(Liveness().violations(replace(EMPTY, calms=(Calm(0, 30, 8.0),)))) == []


@pytest.mark.parametrize(
    "answered",
    [
        Answered(status=500, code="internal_error"),
        Answered(status=400, code="invalid_token"),
        Answered(status=503, code="broker_unavailable"),
        Answered(status=429, code="overloaded", retry_after="0"),
        Answered(status=200, fault="a traceback"),
        Answered(status=0, code="ReadError"),
    ],
)
def test_an_answer_that_is_not_documented_is_found(answered: Answered) -> None:
    assert len(found_by(Errors(), operation(GET, answered, 4, 5))) == 1


@pytest.mark.parametrize(
    "answered",
    [
        Answered(status=200),
        Answered(status=404, code="unknown_document"),
        Answered(status=503, code="database_unavailable", retry_after="1"),
    ],
)
def test_a_documented_answer_is_not_found(answered: Answered) -> None:
    assert found_by(Errors(), operation(GET, answered, 4, 5)) == []


def test_a_broken_connection_is_explained_by_a_fault_of_the_api_alone() -> None:
    broken = evidence(operation(GET, Answered(status=0, code="ReadError"), 4, 5))
    assert list(Errors().violations(replace(broken, faults=(_fault("kill", "api"),)))) == []
    assert len(list(Errors().violations(replace(broken, faults=(_fault("kill", "postgres"),))))) == 1
