"""/v1/embed: vectors in input order, each text with its own outcome."""

import base64
import math
import time

import httpx
import numpy as np
import pytest

from tests.acceptance.conftest import ok, until_cached


def vectors(response: httpx.Response) -> np.ndarray:
    return np.array(ok(response)["embeddings"], dtype=np.float32)


def test_an_answer_describes_itself(api: httpx.Client) -> None:
    result = ok(api.post("/v1/embed", json={"inputs": ["a red fox", "a brown owl"]}))
    assert (result["model_id"], result["model_version"], result["dimension"]) == ("all-MiniLM-L6-v2", 1, 384)
    assert [len(vector) for vector in result["embeddings"]] == [384, 384]
    assert [set(item) for item in result["items"]] == [{"cached", "truncated", "tokens"}] * 2
    assert result["usage"] == {"inputs": 2, "tokens": sum(item["tokens"] for item in result["items"])}


def test_like_meanings_lie_near(api: httpx.Client) -> None:
    texts = ["The cat sits on the mat.", "A feline rests on a rug.", "Interest rates rose by half a percent."]
    near = vectors(api.post("/v1/embed", json={"inputs": texts}))
    assert near[0] @ near[1] > 0.5 > 0.3 > near[0] @ near[2]


def test_a_vector_is_of_unit_length_unless_asked_otherwise(api: httpx.Client) -> None:
    unit = vectors(api.post("/v1/embed", json={"inputs": ["length"]}))[0]
    raw = vectors(api.post("/v1/embed", json={"inputs": ["length"], "normalize": False}))[0]
    assert math.isclose(float(np.linalg.norm(unit)), 1, abs_tol=1e-5)
    assert np.allclose(raw / np.linalg.norm(raw), unit, atol=1e-5)


def test_order_is_kept_when_texts_repeat(api: httpx.Client) -> None:
    words = ["alpha", "beta", "alpha", "gamma", "beta"] * 51
    many = vectors(api.post("/v1/embed", json={"inputs": words}))
    alone = {word: vectors(api.post("/v1/embed", json={"inputs": [word]}))[0] for word in set(words)}
    for row, word in zip(many, words, strict=True):
        assert np.allclose(row, alone[word], atol=1e-3)


def test_a_text_of_which_the_model_knows_nothing_says_so_also_from_the_cache(api: httpx.Client) -> None:
    for _ in range(2):
        result = ok(api.post("/v1/embed", json={"inputs": ["\U0001f98a", "a fox", "\u2800"]}))
        assert [item.get("unknown") for item in result["items"]] == [True, None, True]
        assert result["embeddings"][0] == result["embeddings"][2]
    binary = api.post("/v1/embed", json={"inputs": ["a fox", "\u2800"], "encoding_format": "binary"})
    assert binary.headers["X-Unknown"] == "1"


def test_a_text_asked_again_comes_from_the_cache(api: httpx.Client) -> None:
    body = {"inputs": ["a text that nobody else in these tests embeds"]}
    first = ok(api.post("/v1/embed", json=body))
    again, deadline = ok(api.post("/v1/embed", json=body)), time.monotonic() + 60
    # A write to the cache that takes longer than a quarter of a second is given up, and the text computed again.
    while not again["items"][0]["cached"]:
        assert time.monotonic() < deadline
        again = ok(api.post("/v1/embed", json=body))
    assert not first["items"][0]["cached"]
    assert first["embeddings"] == again["embeddings"]
    assert first["usage"] == again["usage"]


def test_composed_and_decomposed_letters_are_one_text(api: httpx.Client) -> None:
    pair = vectors(api.post("/v1/embed", json={"inputs": ["caf\u00e9", "cafe\u0301"]}))
    assert (pair[0] == pair[1]).all()


def test_a_long_text_is_cut_and_says_so(api: httpx.Client) -> None:
    result = ok(api.post("/v1/embed", json={"inputs": ["word " * 2000, "word"]}))
    assert [item["truncated"] for item in result["items"]] == [True, False]
    assert result["items"][0]["tokens"] <= 256


@pytest.mark.parametrize("input_type", ["query", "document"])
def test_both_input_types_are_taken(api: httpx.Client, input_type: str) -> None:
    ok(api.post("/v1/embed", json={"inputs": ["x"], "input_type": input_type}))


def test_256_texts_are_taken(api: httpx.Client) -> None:
    result = ok(api.post("/v1/embed", json={"inputs": [f"text number {number}" for number in range(256)]}))
    assert len(result["embeddings"]) == 256
    assert all(vector is not None for vector in result["embeddings"])


def test_every_encoding_carries_the_same_numbers(api: httpx.Client) -> None:
    body = {"inputs": ["a red fox", "a brown owl"]}
    plain = np.array(until_cached(api, body["inputs"]), dtype=np.float32)
    coded = ok(api.post("/v1/embed", json={**body, "encoding_format": "base64"}))["embeddings"]
    binary = api.post("/v1/embed", json={**body, "encoding_format": "binary"})
    assert (np.stack([np.frombuffer(base64.b64decode(row), "<f4") for row in coded]) == plain).all()
    assert (np.frombuffer(binary.content, "<f4").reshape(2, 384) == plain).all()
    assert binary.headers["content-type"] == "application/octet-stream"
    told = {name: binary.headers[f"x-{name}"] for name in ("model-id", "model-version", "dimension", "count")}
    assert told == {"model-id": "all-MiniLM-L6-v2", "model-version": "1", "dimension": "384", "count": "2"}
    assert int(binary.headers["x-tokens"]) > 2
    assert (binary.headers["x-failed"], binary.headers["x-truncated"]) == ("", "")


BAD_TEXTS = {
    "empty_input": " \t",
    "invalid_text": "a\x00b",
    "text_too_long": "word " * 8192,
    "too_many_tokens": "word " * 2000,
}


@pytest.mark.parametrize("code", BAD_TEXTS)
@pytest.mark.parametrize("at", [0, 100, 255])
def test_one_bad_text_among_255_good_ones_fails_alone(api: httpx.Client, code: str, at: int) -> None:
    texts = [f"good text {number}" for number in range(255)]
    texts.insert(at, BAD_TEXTS[code])
    body = {"inputs": texts, "truncate": code != "too_many_tokens"}
    others = [number for number in range(256) if number != at]
    good = np.array(until_cached(api, [texts[number] for number in others]), dtype=np.float32)

    plain = ok(api.post("/v1/embed", json=body))
    assert {number: item["error"]["code"] for number, item in enumerate(plain["items"]) if "error" in item} == {
        at: code
    }
    assert plain["items"][at]["error"]["message"]
    assert plain["embeddings"][at] is None
    assert (np.array([plain["embeddings"][number] for number in others], dtype=np.float32) == good).all()

    coded = ok(api.post("/v1/embed", json={**body, "encoding_format": "base64"}))
    assert coded["items"][at]["error"] == plain["items"][at]["error"]
    assert [number for number, row in enumerate(coded["embeddings"]) if row is None] == [at]

    binary = api.post("/v1/embed", json={**body, "encoding_format": "binary"})
    rows = np.frombuffer(binary.content, "<f4").reshape(256, 384)
    assert np.isnan(rows[at]).all()
    assert (rows[others] == good).all()
    assert (binary.headers["x-failed"], binary.headers["x-count"]) == (f"{at}:{code}", "256")


@pytest.mark.parametrize("encoding", ["float", "base64", "binary"])
def test_when_all_texts_are_bad_the_request_fails_by_the_first(api: httpx.Client, encoding: str) -> None:
    for code in BAD_TEXTS:
        body = {"inputs": [BAD_TEXTS[code]] * 3, "truncate": False, "encoding_format": encoding}
        answer = api.post("/v1/embed", json=body)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["field"]) == (400, code, "inputs[0]")


def test_a_model_that_may_be_cut_gives_unit_vectors_of_the_dimension_asked_for(
    api: httpx.Client, flexible_model: str
) -> None:
    result = ok(api.post("/v1/embed", json={"inputs": ["x"], "model_id": flexible_model, "dimensions": 100}))
    assert (result["dimension"], len(result["embeddings"][0])) == (100, 100)
    assert math.isclose(float(np.linalg.norm(result["embeddings"][0])), 1, abs_tol=1e-5)
