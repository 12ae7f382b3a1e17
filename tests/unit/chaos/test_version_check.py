"""C11 finds scores of another version than the one that an answer names, and nothing else."""

from dataclasses import replace

import numpy as np

from tests.chaos.checks.answers import Errors, Honesty
from tests.chaos.checks.versions import Versions
from tests.chaos.content import Place, text_of, vector_of
from tests.chaos.history import Answered, Operation
from tests.unit.chaos.scenes import AT_REST, evidence, found_by, operation, search, seen, upsert


def _answer(version: int, *, asked: int = 0, scored: int = 0, stale: bool = False) -> Operation:
    """A search for the text of `a`, which finds `b` by the vectors of version `scored`."""
    query, text = (text_of(Place("red", doc_id), 1) for doc_id in "ab")
    score = float(np.dot(vector_of(query, scored or version), vector_of(text, scored or version)))
    found = search(0, 1, replace(seen("b", 1, stale=stale), score=score), doc_id="a", text_version=1)
    return replace(
        found,
        asked=replace(found.asked, model_version=asked),
        answered=replace(found.answered, model_version=version),
    )


def test_a_score_of_the_version_that_is_named_is_sound() -> None:
    assert found_by(Versions(), _answer(2), _answer(3, asked=3)) == []


def test_a_score_of_another_version_is_found() -> None:
    (fault,) = found_by(Versions(), _answer(2, scored=1))
    assert fault.startswith("answer mixes versions: the score of red/b is ")


def test_a_hit_by_an_earlier_text_has_the_score_of_that_text() -> None:
    assert found_by(Versions(), _answer(2, scored=1, stale=True)) == []


def test_an_answer_of_another_version_than_was_asked_for_is_found() -> None:
    assert len(found_by(Versions(), _answer(2, asked=3))) == 1


def test_what_another_version_was_told_to_have_may_be_missing() -> None:
    write = upsert("a", 1, 0, 1, state="searchable")
    write = replace(write, answered=replace(write.answered, token_version=7))
    missed = search(4, 5, doc_id="a", text_version=1)
    missed = replace(missed, answered=replace(missed.answered, model_version=2))
    for keys, count in (({2: 7}, 1), ({2: 8}, 0)):
        case = replace(evidence(write, missed), final=replace(AT_REST, version_keys=keys))
        assert len(list(Honesty().violations(case))) == count


def test_a_version_that_was_named_and_does_not_answer_any_more_may_be_refused() -> None:
    asked = search(0, 1).asked
    for wanted, code, count in (
        (replace(asked, model_version=2), "model_not_active", 0),
        (asked, "model_not_active", 1),
        (replace(asked, token_of=1), "token_expired", 0),
        (asked, "token_expired", 1),
    ):
        assert len(found_by(Errors(), operation(wanted, Answered(status=409, code=code), 4, 5))) == count
