"""Questions for counts and their answers survive the way, and nothing else passes for one."""

import msgpack
import numpy as np
import pytest

from embedding_project.broker.envelope import MALFORMED
from embedding_project.contracts.census import Census, CensusQuestion, CensusReply, Value, scalars_of
from embedding_project.contracts.metadata import flatten

QUESTION = CensusQuestion(
    question_id="q",
    inbox="reply.x",
    epoch="e",
    deadline=12.5,
    version_key=1,
    namespace_key=2,
    filter="",
    path="lang",
    positions={0: 7, 1: 2**40},
    others=np.array([3, 2**41], np.int64),
)


def test_a_question_survives_the_way() -> None:
    found = CensusQuestion.from_wire(QUESTION.to_wire())
    assert found.others.tolist() == [3, 2**41]
    assert (found.positions, found.path, found.deadline) == (QUESTION.positions, "lang", 12.5)


def test_an_answer_survives_the_way() -> None:
    values: dict[tuple[str, Value], int] = {("str", "en"): 3, ("number", 5): 2, ("bool", True): 1, ("number", 2.5): 1}
    for outcome in (Census(count=9, values=values), "behind"):
        reply = CensusReply(question_id="q", shard=1, outcome=outcome)
        assert CensusReply.from_wire(reply.to_wire()) == reply


@pytest.mark.parametrize("wire", [b"", msgpack.packb([1, 2]), msgpack.packb(["q", 0, [1]]), msgpack.packb(7)])
def test_what_is_no_message_is_refused(wire: bytes) -> None:
    with pytest.raises(ValueError, match="not a reply"):
        CensusReply.from_wire(wire)
    with pytest.raises(MALFORMED):
        CensusQuestion.from_wire(wire)


def test_a_document_counts_once_for_each_of_its_values() -> None:
    flat = flatten({"tags": ["a", "a", 1, 1.0, True, None, ["deep"]], "lang": "en", "of": [{"x": 1}, {"x": 2}]})
    assert sorted(scalars_of(flat["tags"]), key=str) == [("bool", True), ("number", 1), ("str", "a")]
    assert list(scalars_of(flat["of.x"])) == [("number", 1), ("number", 2)]
    assert list(scalars_of(flat.get("nothing"))) == []
