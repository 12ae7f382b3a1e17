"""Bodies of /v1/embed."""

import pytest

from embedding_project.contracts.keys import InputType
from embeddings_app.api.embed_answers import Encoding
from embeddings_app.api.routes.embed import embed_request
from tests.unit.api.refusals import refusal

TEXTS = {"inputs": ["a fox"]}


def test_a_plain_body_gets_the_defaults() -> None:
    body = embed_request({"inputs": [" a fox ", "an owl"]})
    request, encoding = body.request, body.encoding
    assert request.texts == ("a fox", "an owl")
    assert (request.model_id, request.input_type, request.normalize) == (None, InputType.DOCUMENT, None)
    assert (request.dimensions, request.truncate, encoding) == (None, True, Encoding.FLOAT)


def test_every_field_is_taken_over() -> None:
    request = embed_request({**TEXTS, "model_id": "org/m.1", "input_type": "query", "normalize": False}).request
    assert (request.model_id, request.input_type, request.normalize) == ("org/m.1", InputType.QUERY, False)
    body = embed_request({**TEXTS, "dimensions": 64, "truncate": False, "encoding_format": "binary"})
    assert (body.request.dimensions, body.request.truncate, body.encoding) == (64, False, Encoding.BINARY)


def test_texts_that_cannot_be_embedded_are_told_from_those_that_can() -> None:
    body = embed_request({"inputs": ["x", "", "a\x00b", "y", "z" * (32 * 1024 + 1)]})
    assert body.request.texts == ("x", "y")
    assert body.refused == {1: "empty_input", 2: "invalid_text", 4: "text_too_long"}


def test_composed_and_decomposed_letters_are_one_text() -> None:
    assert embed_request({"inputs": ["e\u0301"]}) == embed_request({"inputs": ["\u00e9"]})


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, "missing_field", "inputs"),
        ({"inputs": None}, "missing_field", "inputs"),
        ({"inputs": "text"}, "invalid_type", "inputs"),
        ({"inputs": {}}, "invalid_type", "inputs"),
        ({"inputs": []}, "invalid_value", "inputs"),
        ({"inputs": ["x"] * 257}, "too_many_items", "inputs"),
        ({"inputs": ["x", 5]}, "invalid_type", "inputs[1]"),
        ({"inputs": ["x", True]}, "invalid_type", "inputs[1]"),
        ({"inputs": ["x", None]}, "invalid_type", "inputs[1]"),
        ({"inputs": ["x", ["y"]]}, "invalid_type", "inputs[1]"),
        ({"inputs": [""]}, "empty_input", "inputs[0]"),
        ({"inputs": [" \t\n", "a\x00b"]}, "empty_input", "inputs[0]"),
        ({"inputs": ["\u200b"]}, "empty_input", "inputs[0]"),
        ({"inputs": ["a\x00b"]}, "invalid_text", "inputs[0]"),
        ({"inputs": ["\ud800"]}, "invalid_text", "inputs[0]"),
        ({"inputs": ["é" * (16 * 1024 + 1)]}, "text_too_long", "inputs[0]"),
        ({**TEXTS, "model": "x"}, "unknown_field", "model"),
        ({**TEXTS, "model_id": 5}, "invalid_type", "model_id"),
        ({**TEXTS, "model_id": ""}, "invalid_value", "model_id"),
        ({**TEXTS, "model_id": "../../etc/passwd"}, "invalid_value", "model_id"),
        ({**TEXTS, "model_id": "m" * 129}, "invalid_value", "model_id"),
        ({**TEXTS, "model_id": "m\n"}, "invalid_value", "model_id"),
        ({**TEXTS, "normalize": "yes"}, "invalid_type", "normalize"),
        ({**TEXTS, "normalize": 1}, "invalid_type", "normalize"),
        ({**TEXTS, "input_type": "passage"}, "invalid_value", "input_type"),
        ({**TEXTS, "input_type": 1}, "invalid_type", "input_type"),
        ({**TEXTS, "dimensions": 0}, "invalid_value", "dimensions"),
        ({**TEXTS, "dimensions": "64"}, "invalid_type", "dimensions"),
        ({**TEXTS, "encoding_format": "hex"}, "invalid_value", "encoding_format"),
        ({**TEXTS, "truncate": 0}, "invalid_type", "truncate"),
    ],
)
def test_a_bad_body_is_refused_with_code_and_field(body: dict[str, object], code: str, field: str) -> None:
    assert refusal(lambda: embed_request(body)) == (code, field)


def test_limits_are_inclusive() -> None:
    assert len(embed_request({"inputs": ["x"] * 256}).request.texts) == 256
    assert len(embed_request({"inputs": ["x" * 32 * 1024]}).request.texts[0]) == 32 * 1024
