"""Bad searches, and vectors that neither a search nor an upsert may bring."""

import base64
import struct
from collections.abc import Iterator, Sequence
from math import inf, nan
from typing import Any

from tests.acceptance.bad_inputs.case import EXTERNAL, EXTERNAL_SPACE, TEXT_SPACE, Case, post


def _base64(numbers: Sequence[float]) -> bytes:
    """As JSON has it."""
    return b'"%s"' % base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers))


def vectors() -> Iterator[Case]:
    """Vectors that no index takes, on upsert and on search alike."""
    rows: list[tuple[str, bytes, str]] = [
        ("7 numbers", b"[1,2,3,4,5,6,7]", "dimension_mismatch"),
        ("9 numbers", b"[1,2,3,4,5,6,7,8,9]", "dimension_mismatch"),
        ("no numbers", b"[]", "dimension_mismatch"),
        ("all zeros", b"[0,0,0,0,0,0,0,-0.0]", "zero_vector"),
        ("too small for float32", b"[1e-46,0,0,0,0,0,0,0]", "zero_vector"),
        ("too large for float32", b"[1e39,0,0,0,0,0,0,0]", "invalid_number"),
        ("a boolean", b"[true,0,0,0,0,0,0,1]", "invalid_type"),
        ("a string", b'["3",0,0,0,0,0,0,1]', "invalid_type"),
        ("null", b"[null,0,0,0,0,0,0,1]", "invalid_type"),
        ("a list", b"[[1],0,0,0,0,0,0,1]", "invalid_type"),
        ("no list", b"12", "invalid_type"),
        ("a list in a string", b'"[1,2,3,4,5,6,7,8]"', "invalid_value"),
        ("base64 of 7 numbers", _base64([1.0] * 7), "dimension_mismatch"),
        ("base64 of 9 numbers", _base64([1.0] * 9), "dimension_mismatch"),
        ("base64 of half a number", _base64([1.0] * 8)[:-5] + b'"', "dimension_mismatch"),
        ("base64 of no numbers", b'""', "dimension_mismatch"),
        ("base64 without its padding", _base64([1.0] * 8).replace(b"=", b""), "invalid_value"),
        ("base64 in the alphabet of URLs", b'"-_' + _base64([1.0] * 8)[3:], "invalid_value"),
        ("base64 of zeros", _base64([0.0] * 8), "zero_vector"),
        ("base64 with NaN", _base64([nan] + [1.0] * 7), "invalid_number"),
        ("base64 with infinity", _base64([inf] + [1.0] * 7), "invalid_number"),
    ]
    space = EXTERNAL_SPACE.encode()
    for name, vector, code in rows:
        yield post(
            f"vector: {name}", "/v1/search", b'{"namespace":"%s","vector":%s}' % (space, vector), 400, code, "vector"
        )
        body = b'{"documents":[{"id":"v","vector":%s}],"namespace":"%s","model_id":"external-8"}' % (vector, space)
        yield post(f"vector: {name}", "/v1/upsert", body, 400, code, "documents[0].vector")
        both = body.replace(b"[{", b'[{"id":"good","vector":[1,1,1,1,1,1,1,1]},{', 1)
        yield post(f"beside a good one: vector: {name}", "/v1/upsert", both, 200, code, "documents[1].vector")
    for number in (b"NaN", b"Infinity", b"1e999", b"1" * 400):
        name = f"vector: {number[:9].decode()}"
        yield post(name, "/v1/search", b'{"vector":[%s,0,0,0,0,0,0,1]}' % number, 400, "invalid_json")
    without = {"id": "v", "text": "t", "namespace": EXTERNAL_SPACE}
    yield post("a text for a model of vectors", "/v1/upsert", without, 400, "vector_required", "vector")
    query = {"query": "t", "namespace": EXTERNAL_SPACE}
    yield post("a query for a model of vectors", "/v1/search", query, 400, "vector_required", "query")


def words() -> Iterator[Case]:
    """Searches by words, in a namespace without text search."""
    text: dict[str, Any] = {"mode": "text", "namespace": TEXT_SPACE}
    hybrid = {**text, "mode": "hybrid", "query": "x"}
    rows: list[tuple[str, dict[str, Any], int, str, str]] = [
        ("a mode that there is not", {**text, "mode": "bm25"}, 400, "invalid_value", "mode"),
        ("no words", text, 400, "missing_field", "query"),
        ("no text search", {**text, "query": "x"}, 409, "text_search_off", "mode"),
        ("no text search, by both", hybrid, 409, "text_search_off", "mode"),
        ("a query and a text_query", {**text, "query": "x", "text_query": "x"}, 400, "invalid_value", "text_query"),
        ("a vector", {**text, "vector": [1.0]}, 400, "invalid_value", "vector"),
        ("min_score", {**text, "query": "x", "min_score": 0.5}, 400, "invalid_value", "min_score"),
        ("mmr", {**hybrid, "mmr": 0.5}, 400, "invalid_value", "mmr"),
        ("text_query by meaning", {"query": "x", "text_query": "x"}, 400, "invalid_value", "text_query"),
        ("highlight by meaning", {"query": "x", "highlight": True}, 400, "invalid_value", "highlight"),
        ("a blank text_query", {**text, "text_query": " "}, 400, "empty_input", "text_query"),
        ("text_query a number", {**text, "text_query": 5}, 400, "invalid_type", "text_query"),
        ("an empty text_query", {**text, "text_query": {}}, 400, "missing_field", "text_query.words"),
        ("only what must not be there", {**text, "text_query": {"without": "x"}}, 400, "missing_field",
         "text_query.words"),
        ("an unknown part", {**text, "text_query": {"fuzzy": "x"}}, 400, "unknown_field", "text_query.fuzzy"),
        ("another match", {**text, "text_query": {"words": "x", "match": "most"}}, 400, "invalid_value",
         "text_query.match"),
        ("phrases a string", {**text, "text_query": {"phrases": "a b"}}, 400, "invalid_type", "text_query.phrases"),
        ("a blank phrase", {**text, "text_query": {"phrases": ["a", " "]}}, 400, "empty_input",
         "text_query.phrases[1]"),
        ("17 prefixes", {**text, "text_query": {"prefixes": ["a"] * 17}}, 400, "too_many_items",
         "text_query.prefixes"),
        ("a part of 513 characters", {**text, "text_query": {"exact": ["a" * 513]}}, 400, "invalid_value",
         "text_query.exact[0]"),
        ("a weight below 0", {**hybrid, "weights": {"text": -1}}, 400, "invalid_value", "weights.text"),
        ("weights of 0", {**hybrid, "weights": {"text": 0, "vector": 0}}, 400, "invalid_value", "weights"),
        ("weights that are a list", {**hybrid, "weights": []}, 400, "invalid_type", "weights"),
        ("weights that are a number", {**hybrid, "weights": 0}, 400, "invalid_type", "weights"),
        ("a forged token", {**text, "query": "x", "min_token": "bad"}, 400, "invalid_token", "min_token"),
        ("a forged token in a list", {**text, "query": "x", "min_token": ["bad"]}, 400, "invalid_token",
         "min_token[0]"),
        ("101 hits with highlights", {**text, "query": "x", "highlight": True, "top_k": 101}, 400, "invalid_value",
         "top_k"),
    ]  # fmt: skip
    good = {"query": "x", "namespace": TEXT_SPACE}
    ranks: list[tuple[str, dict[str, Any], int, str, str]] = [
        ("no model for it", {"rerank": {}}, 404, "unknown_model", "rerank.model"),
        ("a model of vectors", {"rerank": {"model": "all-MiniLM-L6-v2"}}, 400, "wrong_model_type", "rerank.model"),
        ("a model that there is not", {"rerank": {"model": "no-such"}}, 404, "unknown_model", "rerank.model"),
        ("top 0", {"rerank": {"top": 0}}, 400, "invalid_value", "rerank.top"),
        ("top 257", {"rerank": {"top": 257}}, 400, "invalid_value", "rerank.top"),
        ("a string", {"rerank": "org/reranker"}, 400, "invalid_type", "rerank"),
        ("mmr", {"rerank": {}, "mmr": 0.5}, 400, "invalid_value", "mmr"),
        ("groups", {"rerank": {}, "group_by": "a"}, 400, "invalid_value", "group_by"),
        ("nothing to rank for", {"rerank": {}, "query": None, "like": ["a"]}, 400, "missing_field", "rerank.query"),
    ]
    for name, body, status, code, field in ranks:
        yield post(f"rerank: {name}", "/v1/search", good | body, status, code, field)
    for name, body, status, code, field in rows:
        yield post(f"words: {name}", "/v1/search", body, status, code, field)


def search() -> Iterator[Case]:
    good: dict[str, Any] = {"query": "x", "namespace": TEXT_SPACE}
    depth = {"not": {"not": {"not": {"not": {"a": 1}}}}}
    many = {"or": [{"k": n} for n in range(65)]}
    rows: list[tuple[str, dict[str, Any], int, str, str | None]] = [
        ("neither query nor vector", {}, 400, "missing_field", "query"),
        ("both query and vector", {**good, "vector": [1.0]}, 400, "invalid_value", "vector"),
        ("a blank query", {**good, "query": " "}, 400, "empty_input", "query"),
        ("an unknown field", {**good, "skip": 10**9}, 400, "unknown_field", "skip"),
        ("an unknown namespace", {**good, "namespace": "no-such"}, 404, "unknown_namespace", "namespace"),
        ("any namespace", {**good, "namespace": "*"}, 400, "invalid_value", "namespace"),
        ("another model than the namespace's", {**good, "model_id": EXTERNAL}, 409, "model_mismatch", "model_id"),
        ("a version that the model does not have", {**good, "model_version": 999}, 404, "unknown_model",
         "model_version"),
        ("model_version 0", {**good, "model_version": 0}, 400, "invalid_value", "model_version"),
        ("model_version 2**31", {**good, "model_version": 2**31}, 400, "invalid_value", "model_version"),
        ("model_version a string", {**good, "model_version": "1"}, 400, "invalid_type", "model_version"),
        ("a forged token", {**good, "min_token": "WyJ4Il0:1:x"}, 400, "invalid_token", "min_token"),
        ("a forged token in a list", {**good, "min_token": ["WyJ4Il0:1:x"]}, 400, "invalid_token", "min_token[0]"),
        ("an empty token", {**good, "min_token": ""}, 400, "invalid_token", "min_token"),
        ("33 tokens", {**good, "min_token": ["x"] * 33}, 400, "too_many_items", "min_token"),
        ("an offset of 10**9", {**good, "offset": 10**9}, 400, "invalid_value", "offset"),
        ("offset and top_k beyond 1,000", {**good, "offset": 991}, 400, "invalid_value", "offset"),
        ("a least score of 2", {**good, "min_score": 2}, 400, "invalid_value", "min_score"),
        ("mmr -1", {**good, "mmr": -1}, 400, "invalid_value", "mmr"),
        ("a query and documents", {**good, "like": ["a"]}, 400, "invalid_value", "like"),
        ("unlike alone", {"namespace": TEXT_SPACE, "unlike": ["a"]}, 400, "missing_field", "like"),
        ("33 documents to be like", {"namespace": TEXT_SPACE, "like": ["a"] * 33}, 400, "too_many_items", "like"),
        ("a document that is not there", {"namespace": TEXT_SPACE, "like": ["no-such"]}, 404, "unknown_document",
         "like[0]"),
        ("a huge ef_search", {**good, "ef_search": 10**9}, 400, "invalid_value", "ef_search"),
        ("ef_search 0", {**good, "ef_search": 0}, 400, "invalid_value", "ef_search"),
        ("another word than auto as ef_search", {**good, "ef_search": "fast"}, 400, "invalid_value", "ef_search"),
        ("ef_search true", {**good, "ef_search": True}, 400, "invalid_type", "ef_search"),
        ("exact a number", {**good, "exact": 1}, 400, "invalid_type", "exact"),
        ("an unknown part", {**good, "include": ["score"]}, 400, "invalid_value", "include[0]"),
        ("filters a list", {**good, "filters": []}, 400, "invalid_filter", "filters"),
        ("an unknown operator", {**good, "filters": {"a": {"regex": "(a+)+$"}}}, 400, "invalid_filter",
         "filters.a.regex"),
        ("a filter too deep", {**good, "filters": depth}, 400, "invalid_filter", "filters.not.not.not.not"),
        ("65 conditions", {**good, "filters": many}, 400, "invalid_filter", "filters.or[64].k"),
        ("a list of 257", {**good, "filters": {"a": {"in": list(range(257))}}}, 400, "invalid_filter", "filters.a.in"),
        ("a range over a boolean", {**good, "filters": {"a": {"gt": True}}}, 400, "invalid_filter", "filters.a.gt"),
    ]  # fmt: skip
    for name, body, status, code, where in rows:
        yield post(name, "/v1/search", body, status, code, where)
    for top_k in (0, -1, 1001, 2**63):
        yield post(f"top_k {top_k}", "/v1/search", {**good, "top_k": top_k}, 400, "invalid_value", "top_k")
    for other in (1.0, 1.5, "5", True):
        yield post(f"top_k {other!r}", "/v1/search", {**good, "top_k": other}, 400, "invalid_type", "top_k")
