"""Token ids and tokenised texts come out as they went in; their cache keys are nobody else's."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedding_project.contracts.keys import InputType, cache_key, ids_cache_key
from embedding_project.contracts.tokens import ID_LIMIT, TokenizedText, pack_ids, unpack_ids
from tests.specs import SPEC

ids = st.lists(st.integers(0, ID_LIMIT - 1), max_size=20)
TEXT = TokenizedText(ids=(1, 2), offsets=((0, 0), (0, 3)), special=(True, False), tokens=9)


@given(ids)
def test_ids_survive_the_wire(given_ids: list[int]) -> None:
    assert unpack_ids(pack_ids(given_ids)) == given_ids


@given(ids)
def test_a_tokenized_text_survives_the_wire(given_ids: list[int]) -> None:
    text = TokenizedText(
        ids=tuple(given_ids),
        offsets=tuple((place, place + 1) for place in range(len(given_ids))),
        special=tuple(place % 2 == 0 for place in range(len(given_ids))),
        tokens=len(given_ids) + 1,
    )
    assert TokenizedText.from_frame(text.to_frame()) == text
    assert text.truncated


@pytest.mark.parametrize("damaged", [b"", TEXT.to_frame()[:-1], TEXT.to_frame() + b"x", b"\x02" + TEXT.to_frame()[1:]])
def test_a_damaged_frame_is_none(damaged: bytes) -> None:
    assert TokenizedText.from_frame(damaged) is None


@given(ids.filter(bool), st.text(max_size=20))
def test_no_text_has_the_key_of_ids(given_ids: list[int], text: str) -> None:
    packed = pack_ids(given_ids)
    keys = [cache_key(replace(SPEC, document_prompt=prompt), InputType.DOCUMENT, text) for prompt in ("", "token ids")]
    assert ids_cache_key(SPEC, packed) not in keys
    assert ids_cache_key(SPEC, packed) != ids_cache_key(replace(SPEC, version=2), packed)


def test_the_key_of_a_text_stays_the_same() -> None:
    found = cache_key(SPEC, InputType.QUERY, "a red fox").hex()
    assert found == "a951d4b779843714e02cc190425fc91fe27b456d7cec2a6e8f8640e71010bfb9"
