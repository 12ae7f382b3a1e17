"""Bad requests to embed and to tokenise, in the forms of all APIs."""

from collections.abc import Iterator
from typing import Any

from tests.acceptance.bad_inputs.case import DEFAULT, EXTERNAL, Case, post


def embed() -> Iterator[Case]:
    rows: list[tuple[str, object, int, str, str | None]] = [
        ("no inputs field", {}, 400, "missing_field", "inputs"),
        ("inputs null", {"inputs": None}, 400, "missing_field", "inputs"),
        ("inputs a string", {"inputs": "x"}, 400, "invalid_type", "inputs"),
        ("0 inputs", {"inputs": []}, 400, "invalid_value", "inputs"),
        ("257 inputs", {"inputs": ["x"] * 257}, 400, "too_many_items", "inputs"),
        ("a number among inputs", {"inputs": ["x", 5]}, 400, "invalid_type", "inputs[1]"),
        ("a boolean among inputs", {"inputs": ["x", True]}, 400, "invalid_type", "inputs[1]"),
        ("null among inputs", {"inputs": [None]}, 400, "invalid_type", "inputs[0]"),
        ("a list among inputs", {"inputs": [["x"]]}, 400, "invalid_type", "inputs[0]"),
        ("only empty texts", {"inputs": ["", ""]}, 400, "empty_input", "inputs[0]"),
        ("a blank text", {"inputs": [" \t\n "]}, 400, "empty_input", "inputs[0]"),
        ("an invisible text", {"inputs": ["\u200b"]}, 400, "empty_input", "inputs[0]"),
        ("NUL in a text", {"inputs": ["a\x00b"]}, 400, "invalid_text", "inputs[0]"),
        ("32 KiB and a byte", {"inputs": ["x" * (32 * 1024 + 1)]}, 400, "text_too_long", "inputs[0]"),
        (
            "too long, truncate is false",
            {"inputs": ["word " * 999], "truncate": False},
            400,
            "too_many_tokens",
            "inputs[0]",
        ),
        ("an unknown field", {"inputs": ["x"], "model": "y"}, 400, "unknown_field", "model"),
        ("an unknown model", {"inputs": ["x"], "model_id": "no-such"}, 404, "unknown_model", "model_id"),
        ("a model without texts", {"inputs": ["x"], "model_id": EXTERNAL}, 400, "vector_required", "model_id"),
        (
            "a version that the model does not have",
            {"inputs": ["x"], "model_version": 999},
            404,
            "unknown_model",
            "model_version",
        ),
        ("model_version 0", {"inputs": ["x"], "model_version": 0}, 400, "invalid_value", "model_version"),
        ("an empty model", {"inputs": ["x"], "model_id": ""}, 400, "invalid_value", "model_id"),
        ("a path as model", {"inputs": ["x"], "model_id": "../../etc"}, 400, "invalid_value", "model_id"),
        ("a long model", {"inputs": ["x"], "model_id": "m" * 10_240}, 400, "invalid_value", "model_id"),
        ("normalize a string", {"inputs": ["x"], "normalize": "yes"}, 400, "invalid_type", "normalize"),
        ("normalize a number", {"inputs": ["x"], "normalize": 1}, 400, "invalid_type", "normalize"),
        ("an unknown input type", {"inputs": ["x"], "input_type": "passage"}, 400, "invalid_value", "input_type"),
        (
            "dimensions that the model does not have",
            {"inputs": ["x"], "dimensions": 64},
            400,
            "invalid_value",
            "dimensions",
        ),
        ("dimensions 0", {"inputs": ["x"], "dimensions": 0}, 400, "invalid_value", "dimensions"),
        ("dimensions a string", {"inputs": ["x"], "dimensions": "64"}, 400, "invalid_type", "dimensions"),
        ("an unknown encoding", {"inputs": ["x"], "encoding_format": "hex"}, 400, "invalid_value", "encoding_format"),
        ("truncate a number", {"inputs": ["x"], "truncate": 1}, 400, "invalid_type", "truncate"),
        ("token ids", {"inputs": [[1, 2]]}, 400, "invalid_type", "inputs[0]"),
    ]
    for name, body, status, code, where in rows:
        yield post(name, "/v1/embed", body, status, code, where)


def tokenize() -> Iterator[Case]:
    rows: list[tuple[str, object, int, str, str | None]] = [
        ("no inputs field", {}, 400, "missing_field", "inputs"),
        ("inputs a string", {"inputs": "x"}, 400, "invalid_type", "inputs"),
        ("0 inputs", {"inputs": []}, 400, "invalid_value", "inputs"),
        ("257 inputs", {"inputs": ["x"] * 257}, 400, "too_many_items", "inputs"),
        ("a blank text", {"inputs": ["x", " "]}, 400, "empty_input", "inputs[1]"),
        ("an unknown model", {"inputs": ["x"], "model_id": "no-such"}, 404, "unknown_model", "model_id"),
        ("a model without texts", {"inputs": ["x"], "model_id": EXTERNAL}, 400, "vector_required", "model_id"),
        ("add_special_tokens a number", {"inputs": ["x"], "add_special_tokens": 1}, 400, "invalid_type",
         "add_special_tokens"),
        ("an unknown field", {"inputs": ["x"], "normalize": True}, 400, "unknown_field", "normalize"),
    ]  # fmt: skip
    for name, body, status, code, where in rows:
        yield post(name, "/v1/tokenize", body, status, code, where)


def openai() -> Iterator[Case]:
    """Answered in the form of the OpenAI API, where the field is called param."""
    good = {"input": "x", "model": DEFAULT}
    rows: list[tuple[str, dict[str, Any], int, str, str | None]] = [
        ("no input", {"model": DEFAULT}, 400, "missing_field", "input"),
        ("no model", {"input": "x"}, 400, "missing_field", "model"),
        ("input null", {**good, "input": None}, 400, "missing_field", "input"),
        ("input an object", {**good, "input": {}}, 400, "invalid_type", "input"),
        ("an empty string", {**good, "input": ""}, 400, "empty_input", "input"),
        ("0 inputs", {**good, "input": []}, 400, "invalid_value", "input"),
        ("a blank text", {**good, "input": ["x", " \n"]}, 400, "empty_input", "input[1]"),
        ("NUL in a text", {**good, "input": ["a\x00b"]}, 400, "invalid_text", "input[0]"),
        ("32 KiB and a byte", {**good, "input": "x" * (32 * 1024 + 1)}, 400, "text_too_long", "input"),
        ("2,049 inputs", {**good, "input": ["x"] * 2049}, 400, "too_many_items", "input"),
        ("an empty list of ids", {**good, "input": [[]]}, 400, "empty_input", "input[0]"),
        ("a negative id", {**good, "input": [1, -1]}, 400, "invalid_ids", "input"),
        ("an id of 33 bits", {**good, "input": [[2**32]]}, 400, "invalid_ids", "input[0]"),
        ("8,193 ids", {**good, "input": [1] * 8193}, 400, "too_many_items", "input"),
        ("a text among ids", {**good, "input": [1, "x"]}, 400, "invalid_type", "input"),
        ("an id among texts", {**good, "input": ["x", 1]}, 400, "invalid_type", "input[1]"),
        ("ids among texts", {**good, "input": ["x", [1]]}, 400, "invalid_type", "input[1]"),
        ("a text among lists of ids", {**good, "input": [[1], "x"]}, 400, "invalid_type", "input[1]"),
        ("a boolean among ids", {**good, "input": [[1, True]]}, 400, "invalid_type", "input[0]"),
        ("ids for a model of texts", {**good, "input": [[1, 2]]}, 400, "ids_not_accepted", "input"),
        ("an unknown model", {**good, "model": "text-embedding-3-small"}, 404, "unknown_model", "model"),
        ("a version that the model does not have", {**good, "model": f"{DEFAULT}@999"}, 404, "unknown_model", "model"),
        ("a version that is no number", {**good, "model": f"{DEFAULT}@latest"}, 400, "invalid_value", "model"),
        ("a model without texts", {**good, "model": EXTERNAL}, 400, "vector_required", "model"),
        ("model a number", {**good, "model": 3}, 400, "invalid_type", "model"),
        ("dimensions that the model does not have", {**good, "dimensions": 256}, 400, "invalid_value", "dimensions"),
        ("an unknown encoding", {**good, "encoding_format": "binary"}, 400, "invalid_value", "encoding_format"),
        ("user a number", {**good, "user": 5}, 400, "invalid_type", "user"),
        ("user false", {**good, "user": False}, 400, "invalid_type", "user"),
        ("an unknown field", {**good, "dimension": 64}, 400, "unknown_field", "dimension"),
        ("too long, truncate is false", {**good, "input": ["x", "word " * 999], "truncate": False}, 400,
         "too_many_tokens", "input[1]"),
    ]  # fmt: skip
    for name, body, status, code, where in rows:
        yield post(name, "/v1/embeddings", body, status, code, where)
    yield post("truncated", "/v1/embeddings", b'{"input": "x"', 400, "invalid_json")
    yield Case(name="GET", path="/v1/embeddings", method="GET", status=405, code="method_not_allowed")


def tei() -> Iterator[Case]:
    """Answered in the form of text-embeddings-inference, which has kinds of errors in place of codes."""
    rows: list[tuple[str, object, str]] = [
        ("no inputs", {}, "Validation"),
        ("an empty text", {"inputs": ""}, "Empty"),
        ("257 inputs", {"inputs": ["x"] * 257}, "Validation"),
        ("cut in the middle", {"inputs": "x", "truncation_direction": "Middle"}, "Validation"),
        ("an unknown prompt", {"inputs": "x", "prompt_name": "passage"}, "Validation"),
        ("too long, truncate is false", {"inputs": ["x", "word " * 999], "truncate": False}, "Validation"),
        ("ids for a model of texts", {"inputs": [[1, 2]]}, "Validation"),
        ("an unknown field", {"inputs": "x", "model": "y"}, "Validation"),
    ]
    for name, body, kind in rows:
        yield post(name, "/embed", body, 400, kind)


def rerank() -> Iterator[Case]:
    """On an instance without a cross-encoder."""
    good: dict[str, Any] = {"query": "x", "documents": ["x"]}
    rows: list[tuple[str, object, int, str, str]] = [
        ("no query", {"documents": ["x"]}, 400, "missing_field", "query"),
        ("a blank query", {**good, "query": " "}, 400, "empty_input", "query"),
        ("no documents", {"query": "x"}, 400, "missing_field", "documents"),
        ("0 documents", {**good, "documents": []}, 400, "invalid_value", "documents"),
        ("257 documents", {**good, "documents": ["x"] * 257}, 400, "too_many_items", "documents"),
        ("a number among documents", {**good, "documents": ["x", 5]}, 400, "invalid_type", "documents[1]"),
        ("an object without text", {**good, "documents": [{}]}, 400, "missing_field", "documents[0].text"),
        ("an object with more", {**good, "documents": [{"text": "x", "id": "1"}]}, 400, "unknown_field",
         "documents[0].id"),
        ("a blank document", {**good, "documents": ["x", {"text": " "}]}, 400, "empty_input", "documents[1].text"),
        ("top_n 0", {**good, "top_n": 0}, 400, "invalid_value", "top_n"),
        ("an unknown field", {**good, "texts": ["x"]}, 400, "unknown_field", "texts"),
        ("no model that ranks", good, 404, "unknown_model", "model"),
        ("a model that there is not", {**good, "model": "no-such"}, 404, "unknown_model", "model"),
        ("a model of vectors", {**good, "model": DEFAULT}, 400, "wrong_model_type", "model"),
    ]  # fmt: skip
    for name, body, status, code, field in rows:
        yield post(f"rerank: {name}", "/v1/rerank", body, status, code, field)
    of_tei: list[tuple[str, object, int, str]] = [
        ("no texts", {"query": "x"}, 400, "Validation"),
        ("0 texts", {"query": "x", "texts": []}, 400, "Validation"),
        ("a blank text", {"query": "x", "texts": [" "]}, 400, "Empty"),
        ("cut in front", {"query": "x", "texts": ["x"], "truncation_direction": "Left"}, 400, "Validation"),
        ("no model that ranks", {"query": "x", "texts": ["x"]}, 404, "Validation"),
    ]
    for name, body, status, kind in of_tei:
        yield post(f"rerank: {name}", "/rerank", body, status, kind)
