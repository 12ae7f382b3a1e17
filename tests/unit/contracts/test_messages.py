"""Messages come out as they went in; the merge is the merge of everything."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.hits import Hit, ShardHits, merge_hits
from embedding_project.contracts.messages import (
    BEHIND,
    EmbedBatch,
    EmbedItem,
    EmbedReply,
    Lane,
    SearchBatch,
    SearchReply,
    ShardQuery,
    decode_reply,
)
from embedding_project.contracts.text import checked_text, normal_form
from tests.specs import SPEC


def test_an_embed_batch_survives_the_wire() -> None:
    batch = EmbedBatch(
        batch_id="b",
        inbox="reply.x",
        lane=Lane.BULK,
        deadline=12.5,
        use_cache=True,
        model=SPEC,
        items=(EmbedItem(cache_key=b"\x00\xff", text="Grüße"),),
    )
    assert EmbedBatch.from_wire(batch.to_wire()) == batch


def test_a_search_batch_survives_the_wire() -> None:
    query = ShardQuery(version_key=1, namespace_key=2, top_k=3, ef_search=4, exact=False, filter="")
    vectors = np.arange(8, dtype=np.float32).reshape(2, 4)
    batch = SearchBatch(
        fanout_id="f", inbox="reply.x", epoch="e", deadline=1.5, queries=(query, query), vectors=vectors
    )
    back = SearchBatch.from_wire(batch.to_wire())
    assert (back.fanout_id, back.queries, back.deadline) == ("f", (query, query), 1.5)
    assert np.array_equal(back.vectors, vectors)


def test_replies_survive_the_wire() -> None:
    embed = EmbedReply(batch_id="b", outcomes=(b"frame", "model_error"))
    assert decode_reply(embed.to_wire()) == embed
    hits = _shard([(0.5, 1, 1)])
    search = decode_reply(SearchReply(fanout_id="f", shard=1, outcomes=(hits, BEHIND), search_ms=0.5).to_wire())
    assert isinstance(search, SearchReply)
    found = search.outcomes[0]
    assert isinstance(found, ShardHits)
    assert (list(found), search.outcomes[1]) == (list(hits), BEHIND)


@pytest.mark.parametrize("garbage", [b"", b"\xc1", b"\x93\xa5other\x01\x02", b"not a reply", b"\x92\xa5embed\x01"])
def test_garbage_is_no_reply(garbage: bytes) -> None:
    with pytest.raises(ValueError, match="not a reply"):
        decode_reply(garbage)


def _shard(hits: list[tuple[float, int, int]]) -> ShardHits:
    ordered = sorted(hits, key=lambda hit: (-hit[0], hit[1]))
    scores, keys, revisions = zip(*ordered, strict=True) if ordered else ((), (), ())
    return ShardHits(np.array(scores, np.float32), np.array(keys, np.int64), np.array(revisions, np.int32))


shards = st.lists(
    st.lists(
        st.tuples(st.integers(-(10**6), 10**6).map(lambda score: score / 1e6), st.integers(0, 99), st.integers(1, 3)),
        max_size=8,
        unique_by=lambda h: h[1],
    ),
    max_size=4,
)


@given(shards, st.integers(1, 12))
def test_the_merge_is_the_best_of_all_shards(hits: list[list[tuple[float, int, int]]], top_k: int) -> None:
    merged = merge_hits(map(_shard, hits), top_k)
    everything = sorted((Hit(*hit) for shard in hits for hit in shard), key=lambda hit: (-hit.score, hit.document_key))
    assert [hit[:2] for hit in merged] == [hit[:2] for hit in everything[:top_k]]


def test_composed_and_decomposed_texts_are_one() -> None:
    assert normal_form("e\u0301 ") == normal_form("\u00e9")


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (5, "invalid_type"),
        (None, "invalid_type"),
        ("", "empty_input"),
        ("  \n", "empty_input"),
        ("\u200b", "empty_input"),
        ("a\x00", "invalid_text"),
        ("\ud800", "invalid_text"),
        ("x" * 32_769, "text_too_long"),
        ("ü" * 16_385, "text_too_long"),
    ],
)
def test_what_is_no_text_is_refused(value: object, code: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        checked_text(value, "inputs[0]")
    assert caught.value.code == code
