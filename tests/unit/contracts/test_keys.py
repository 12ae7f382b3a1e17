"""Hashes all roles compute alike."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from embedding_project.contracts.keys import InputType, cache_key, content_hash, shard_hash, shard_of
from tests.specs import SPEC


def test_fields_cannot_run_into_each_other() -> None:
    other = replace(SPEC, model_id="m12")
    assert cache_key(SPEC, InputType.QUERY, "2foo") != cache_key(other, InputType.QUERY, "foo")
    assert shard_hash("ab", "c") != shard_hash("a", "bc")


def test_the_key_names_everything_the_vector_depends_on() -> None:
    variants = [
        SPEC,
        replace(SPEC, version=2),
        replace(SPEC, max_tokens=128),
        replace(SPEC, document_prompt="passage: "),
    ]
    assert len({cache_key(spec, InputType.DOCUMENT, "text") for spec in variants}) == len(variants)


def test_a_text_cut_at_its_beginning_has_another_key() -> None:
    usual, ended = (cache_key(SPEC, InputType.DOCUMENT, "text", keep_end=keep_end) for keep_end in (False, True))
    assert usual != ended


def test_equal_prompts_share_the_key_of_query_and_document() -> None:
    assert cache_key(SPEC, InputType.QUERY, "text") == cache_key(SPEC, InputType.DOCUMENT, "text")


def test_known_values_stay_as_they_are() -> None:
    """Stored hashes and the shards of stored documents depend on these."""
    assert content_hash("text").hex()[:16] == "87fd464b32acf333"
    assert shard_hash("default", "doc-1") == 1063833519


@given(st.text(max_size=20), st.text(max_size=20), st.integers(1, 64))
def test_a_shard_is_always_in_range(namespace: str, doc_id: str, shards: int) -> None:
    namespace, doc_id = (value.encode("utf-8", "ignore").decode() for value in (namespace, doc_id))
    hashed = shard_hash(namespace, doc_id)
    assert 0 <= hashed < 2**31
    assert 0 <= shard_of(hashed, shards) < shards


def test_shards_share_documents_evenly() -> None:
    counts = [0] * 4
    for number in range(4000):
        counts[shard_of(shard_hash("default", f"doc-{number}"), 4)] += 1
    assert min(counts) > 900
