"""A field that is null counts as left out, as pydantic and Go clients send it, on every route and in nested objects."""

from collections.abc import Callable
from functools import partial
from typing import Any

import orjson
import pytest

from embeddings_app.api.requests.searches import search_request
from embeddings_app.api.requests.version_bodies import documents_per_second, registration, switching
from embeddings_app.api.routes.embed import embed_request
from embeddings_app.api.routes.openai import openai_request
from embeddings_app.api.routes.rerank import rerank_request, tei_rerank_request
from embeddings_app.api.routes.tei import tei_request
from embeddings_app.api.routes.tokenize import tokenize_request
from embeddings_app.api.routes.upsert import upsert_request
from embeddings_app.api.schema.generator import openapi_document
from embeddings_app.services.documents.upserting import DocumentWrite
from tests.unit.api.refusals import refusal

Decode = Callable[[dict[str, Any]], object]
ONE: dict[str, Any] = {"id": "a", "text": "t"}
BODIES: list[tuple[str, Decode, dict[str, Any], set[str]]] = [
    ("/v1/embed", embed_request, {"inputs": ["x"]},
     {"model_id", "model_version", "input_type", "normalize", "dimensions", "encoding_format", "truncate"}),
    ("/v1/embeddings", openai_request, {"input": "x", "model": "m"},
     {"encoding_format", "dimensions", "user", "input_type", "truncate"}),
    ("/v1/tokenize", tokenize_request, {"inputs": ["x"]}, {"model_id", "add_special_tokens"}),
    ("/embed", tei_request, {"inputs": "x"},
     {"normalize", "truncate", "truncation_direction", "prompt_name", "dimensions"}),
    ("/v1/rerank", rerank_request, {"query": "x", "documents": ["x"]},
     {"model", "top_n", "return_documents", "truncate"}),
    ("/rerank", tei_rerank_request, {"query": "x", "texts": ["x"]},
     {"raw_scores", "return_text", "truncate", "truncation_direction"}),
    ("/v1/search", search_request, {"query": "x"},
     {"top_k", "offset", "min_score", "mmr", "filters", "namespace", "model_id", "model_version", "ef_search",
      "exact", "include", "min_token", "allow_partial", "mode", "text_query", "weights", "highlight",
      "group_by", "group_size", "rerank"}),
    ("/v1/upsert", upsert_request, ONE,
     {"vector", "metadata", "if_revision", "expires_at", "namespace", "model_id", "wait"}),
    ("/v1/models/{model_id}/versions", registration, {"type": "external"},
     {"artifact", "dimension", "pooling", "normalize", "max_tokens", "query_prompt", "document_prompt",
      "min_dimension", "dtype", "runtime", "token_encoding", "endpoint", "endpoint_model", "secret_name",
      "requests_per_minute", "storage"}),
    ("/v1/models/{model_id}/versions/{version}/start", documents_per_second, {}, {"documents_per_second"}),
    ("/v1/models/{model_id}/versions/{version}/switch", switching, {}, {"override", "reason"}),
]  # fmt: skip
ROWS = [(decode, good, name) for _, decode, good, optional in BODIES for name in sorted(optional)]


@pytest.mark.parametrize(("decode", "good", "name"), ROWS, ids=lambda value: value if isinstance(value, str) else "")
def test_null_where_a_field_may_be_left_out_is_the_same_as_to_leave_it_out(
    decode: Decode, good: dict[str, Any], name: str
) -> None:
    assert decode({**good, name: None}) == decode(good)


@pytest.mark.parametrize(("path", "optional"), [(path, optional) for path, _, _, optional in BODIES])
def test_the_openapi_document_says_which_fields_may_be_null(path: str, optional: set[str]) -> None:
    operation = orjson.loads(openapi_document())["paths"][path]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    properties = (schema["oneOf"][0] if "oneOf" in schema else schema)["properties"]
    nullable = {name for name, property_ in properties.items() if property_.get("nullable")}
    assert nullable - {"text"} == optional  # a document has a text, unless its model takes vectors


@pytest.mark.parametrize(("decode", "good"), [(decode, good) for _, decode, good, _ in BODIES])
def test_null_where_a_field_is_required_is_a_field_that_is_missing(decode: Decode, good: dict[str, Any]) -> None:
    for name in good:
        assert refusal(partial(decode, {**good, name: None})) == ("missing_field", name)


def test_nulls_in_a_list_of_documents_are_left_out_too() -> None:
    plain = upsert_request({"documents": [ONE, {"id": "b", "vector": [1.0]}]})
    nulls = [{**ONE, "vector": None, "metadata": None}, {"id": "b", "vector": [1.0], "text": None}]
    assert upsert_request({"documents": nulls, "id": None, "text": None, "wait": None}) == plain
    assert upsert_request({**ONE, "documents": None}) == upsert_request(ONE)


def test_a_search_by_one_way_may_name_the_other_as_null() -> None:
    assert search_request({"query": "x", "vector": None}) == search_request({"query": "x"})
    assert search_request({"query": None, "vector": [1.0]}) == search_request({"vector": [1.0]})


def test_null_inside_of_metadata_is_a_value() -> None:
    (write,) = upsert_request({**ONE, "metadata": {"a": None}}).documents
    assert isinstance(write, DocumentWrite)
    assert write.metadata == {"a": None}


def test_an_unknown_field_is_refused_whatever_it_holds() -> None:
    assert refusal(lambda: search_request({"query": "x", "topk": None})) == ("unknown_field", "topk")
