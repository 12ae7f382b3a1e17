"""/v1/tokenize: what the model reads of a text."""

from typing import Any

import httpx

from tests.acceptance.conftest import ok


def items(api: httpx.Client, *texts: str, **options: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ok(api.post("/v1/tokenize", json={"inputs": texts, **options}))["items"]
    return found


def test_offsets_cut_the_text_into_its_tokens(api: httpx.Client) -> None:
    (item,) = items(api, "  Grüße, red foxes! ")
    text = "Grüße, red foxes!"
    pieces = [text[start:end] for start, end in item["offsets"]]
    assert pieces[0] == pieces[-1] == ""
    assert "".join(pieces) == text.replace(" ", "")
    assert len(item["ids"]) == item["tokens"]


def test_special_tokens_are_left_out_on_request(api: httpx.Client) -> None:
    (whole,), (bare,) = items(api, "a red fox"), items(api, "a red fox", add_special_tokens=False)
    assert bare["ids"] == whole["ids"][1:-1]
    assert bare["tokens"] == whole["tokens"] - 2


def test_what_looks_like_a_special_token_is_plain_text(api: httpx.Client) -> None:
    special = {101, 102, 103}
    for item in items(api, "[CLS] a [SEP] b [MASK]", "[SEP]", add_special_tokens=False):
        assert len(item["ids"]) >= 3
        assert special.isdisjoint(item["ids"])


def test_a_long_text_says_how_long_it_is(api: httpx.Client) -> None:
    long, short = items(api, "word " * 1000, "word")
    assert (len(long["ids"]), long["tokens"], long["truncated"]) == (256, 1002, True)
    assert (short["tokens"], short["truncated"]) == (3, False)


def test_256_texts_agree_with_what_embed_counts(api: httpx.Client) -> None:
    texts = [f"text number {number}" for number in range(256)]
    embedded = ok(api.post("/v1/embed", json={"inputs": texts}))["items"]
    assert [item["tokens"] for item in items(api, *texts)] == [item["tokens"] for item in embedded]


def test_one_character_and_32_kib_without_a_space_are_taken(api: httpx.Client) -> None:
    one, long = items(api, "x", "x" * 32 * 1024)
    assert one["tokens"] == 3
    assert not one["truncated"]
    assert len(long["ids"]) <= 256
