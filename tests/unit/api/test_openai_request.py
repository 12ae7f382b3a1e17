"""Bodies of /v1/embeddings and /embed."""

import pytest

from embedding_project.contracts.tokens import pack_ids
from embeddings_app.api.embed_answers import Encoding
from embeddings_app.api.routes.openai import openai_request
from embeddings_app.api.routes.tei import tei_request
from tests.unit.api.refusals import refusal


@pytest.mark.parametrize(
    ("value", "texts", "ids"),
    [
        (" one ", ("one",), ()),
        (["one", "two"], ("one", "two"), ()),
        ([1, 2], (), (pack_ids([1, 2]),)),
        ([[1, 2], [0]], (), (pack_ids([1, 2]), pack_ids([0]))),
    ],
)
def test_input_is_one_or_many_texts_or_ids(value: object, texts: tuple[str, ...], ids: tuple[bytes, ...]) -> None:
    request, _ = openai_request({"input": value, "model": "m"})
    assert (request.texts, request.ids, len(request)) == (texts, ids, len(texts) + len(ids))
    assert (tei_request({"inputs": value}).texts, tei_request({"inputs": value}).ids) == (texts, ids)


def test_every_field_is_taken_over() -> None:
    options = {"encoding_format": "base64", "dimensions": 8, "input_type": "query", "truncate": False, "user": "u"}
    request, encoding = openai_request({"input": "x", "model": "org/m@3", **options})
    assert (request.model_id, request.version, request.dimensions) == ("org/m", 3, 8)
    assert (request.input_type, request.truncate, request.normalize) == ("query", False, True)
    assert encoding is Encoding.BASE64


@pytest.mark.parametrize("model", ["", "m@", "m@0", "m@01", "m@-1", "m@1@2", "@1", "m\n", "../m"])
def test_what_names_no_version_is_refused(model: str) -> None:
    assert refusal(lambda: openai_request({"input": "x", "model": model})) == ("invalid_value", "model")


def test_2048_inputs_are_taken_and_not_one_more() -> None:
    assert len(openai_request({"input": ["x"] * 2048, "model": "m"})[0]) == 2048
    assert refusal(lambda: openai_request({"input": ["x"] * 2049, "model": "m"})) == ("too_many_items", "input")
    assert refusal(lambda: tei_request({"inputs": ["x"] * 257})) == ("too_many_items", "inputs")
