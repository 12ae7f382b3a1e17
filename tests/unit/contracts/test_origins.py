"""The requests behind a message: each once, bounded, and back from the wire as they were."""

import json
from typing import Any

import pytest

from embedding_project.contracts.hints import IndexHint
from embedding_project.contracts.origins import MAX_ORIGINS, NOBODY, Origin, distinct, origins_from_wire

ANNE, BOB = Origin("anne", "00-1-2-01"), Origin("bob")


def test_each_known_origin_is_named_once_and_not_endlessly() -> None:
    assert distinct([BOB, ANNE, NOBODY, BOB]) == (BOB, ANNE)
    assert len(distinct(Origin(str(number)) for number in range(1_000))) == MAX_ORIGINS


@pytest.mark.parametrize("wire", [[["a"]], [["a", 1]], [[b"a", ""]], ["abc"], [None]])
def test_what_is_no_origin_is_refused(wire: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        origins_from_wire(wire)


@pytest.mark.parametrize(
    "hint",
    [
        IndexHint((1, 2, 3, 4), (ANNE, ANNE, BOB, ANNE)),
        IndexHint((1,), (NOBODY,)),
        IndexHint((), (ANNE,)),
        IndexHint((), ()),
    ],
)
def test_a_hint_survives_its_message(hint: IndexHint) -> None:
    headers = json.loads(json.dumps(hint.headers()))
    assert IndexHint.from_message(list(hint.document_keys), headers) == hint


def test_documents_in_a_row_of_one_request_name_it_once() -> None:
    assert len(IndexHint(tuple(range(256)), (ANNE,) * 256).headers()["origins"]) == 1


@pytest.mark.parametrize(
    "headers", [None, {}, {"origins": None}, {"origins": 5}, {"origins": [["a"]]}, {"origins": [["a", "b", "c"]]}]
)
def test_a_hint_with_a_strange_header_is_a_hint_of_nobody(headers: dict[str, object] | None) -> None:
    assert IndexHint.from_message([1], headers) == IndexHint((1,), ())


def test_a_header_cannot_claim_more_than_there_are_documents() -> None:
    assert IndexHint.from_message([1, 2], {"origins": [["a", "", 10**12]]}).origins == (Origin("a"),) * 2
