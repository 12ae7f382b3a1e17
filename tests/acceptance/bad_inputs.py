"""The catalogue of bad input as a table: what is sent, and the one answer to it."""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any

MIB = 1024 * 1024
JSON = {"content-type": "application/json"}
DEFAULT = "all-MiniLM-L6-v2"
EXTERNAL = "external-8"
EXTERNAL_SPACE = "bad-input-vectors"
TEXT_SPACE = "bad-input-texts"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    name: str
    path: str
    status: int
    code: str
    field: str | None = None
    method: str = "POST"
    content: bytes = b""
    headers: Mapping[str, str] = dataclasses.field(default_factory=lambda: JSON)


def post(name: str, path: str, body: object, status: int, code: str, where: str | None = None) -> Case:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Case(name=name, path=path, content=content, status=status, code=code, field=where)


def syntax() -> Iterator[Case]:
    bodies: dict[str, bytes] = {
        "empty body": b"",
        "truncated": b'{"inputs": ["x"',
        "trailing comma": b'{"inputs": ["x"],}',
        "single quotes": b"{'inputs': ['x']}",
        "comment": b'{"inputs": ["x"]} // c',
        "null": b"null",
        "list": b"[]",
        "string": b'"x"',
        "number": b"1",
        "byte order mark": b'\xef\xbb\xbf{"inputs": ["x"]}',
        "invalid UTF-8": b'{"inputs": ["\xff"]}',
        "overlong UTF-8": b'{"inputs": ["\xc0\xaf"]}',
        "raw control character": b'{"inputs": ["a\x01b"]}',
        "lone surrogate": b'{"inputs": ["\\ud800"]}',
        "5,000 brackets": b"[" * 5_000,
        "100,000 brackets": b"[" * 100_000 + b"]" * 100_000,
        "100,000 objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        "33 levels": b'{"inputs": ' + b"[" * 32 + b"]" * 32 + b"}",
        "a key twice": b'{"inputs": ["x"], "inputs": ["y"]}',
        "a key twice, once escaped": b'{"inputs": ["x"], "\\u0069nputs": ["y"]}',
        "a body of braces": b"[" + b"{}," * 140_000 + b"{}]",
    }
    for name, body in bodies.items():
        yield post(name, "/v1/embed", body, 400, "invalid_json")


def transport() -> Iterator[Case]:
    good = b'{"inputs": ["x"]}'
    types = {
        "no media type": "",
        "text/plain": "text/plain",
        "a form": "application/x-www-form-urlencoded",
        "multipart": "multipart/form-data; boundary=x",
        "xml": "application/xml",
        "latin1": "application/json; charset=latin1",
        "utf-16": "application/json; charset=utf-16",
    }
    for name, media_type in types.items():
        headers = {"content-type": media_type} if media_type else {}
        yield Case(
            name=name, path="/v1/embed", content=good, headers=headers, status=415, code="unsupported_media_type"
        )
    headers = {**JSON, "content-encoding": "gzip"}
    yield Case(
        name="compressed", path="/v1/embed", content=good, headers=headers, status=415, code="unsupported_media_type"
    )
    yield post("8 MiB and a byte", "/v1/embed", b" " * (8 * MIB + 1), 413, "body_too_large")
    methods = {"/v1/embed": "GET", "/v1/upsert": "PUT", "/v1/search": "PATCH", "/v1/models": "DELETE"}
    for path, method in methods.items():
        yield Case(name=f"{method} {path}", path=path, method=method, status=405, code="method_not_allowed")
    yield Case(name="TRACE", path="/v1/embed", method="TRACE", status=405, code="method_not_allowed")
    yield Case(name="an unknown verb", path="/v1/embed", method="BREW", status=405, code="method_not_allowed")
    yield Case(
        name="a foreign host", path="/v1/models", method="GET", headers={"host": "evil.example"}, status=403,
        code="forbidden_host", field="Host",
    )  # fmt: skip
    yield Case(
        name="no host name", path="/v1/models", method="GET", headers={"host": "a b"}, status=400,
        code="invalid_value", field="Host",
    )  # fmt: skip


def parameters() -> Iterator[Case]:
    """A query parameter that a path does not know: it may be a misspelt one, or one that belongs into the body."""
    posts = ("/v1/embed", "/v1/embeddings", "/v1/tokenize", "/v1/upsert", "/v1/search")
    gets = ("/v1/models", f"/v1/models/{DEFAULT}", f"/v1/models/{DEFAULT}/versions",
            f"/v1/namespaces/{TEXT_SPACE}", "/healthz", "/readyz", "/metrics",
            "/v1/openapi.json", "/v1/docs")  # fmt: skip
    for path, method in [*((path, "POST") for path in posts), *((path, "GET") for path in gets)]:
        yield Case(
            name="an unknown query parameter", path=f"{path}?namespace=x", method=method, content=b"{}",
            status=400, code="unknown_field", field="namespace",
        )  # fmt: skip
    for path, method in (("/embed", "POST"), ("/", "POST"), ("/", "GET"), ("/info", "GET"), ("/health", "GET")):
        yield Case(
            name="an unknown query parameter", path=f"{path}?namespace=x", method=method, content=b"{}",
            status=400, code="Validation",
        )  # fmt: skip


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
        ("another version than the active one", {**good, "model": f"{DEFAULT}@7"}, 409, "model_not_active", "model"),
        ("a version that is no number", {**good, "model": f"{DEFAULT}@latest"}, 400, "invalid_value", "model"),
        ("a model without texts", {**good, "model": EXTERNAL}, 400, "vector_required", "model"),
        ("model a number", {**good, "model": 3}, 400, "invalid_type", "model"),
        ("dimensions that the model does not have", {**good, "dimensions": 256}, 400, "invalid_value", "dimensions"),
        ("an unknown encoding", {**good, "encoding_format": "binary"}, 400, "invalid_value", "encoding_format"),
        ("user a number", {**good, "user": 5}, 400, "invalid_type", "user"),
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


def upsert() -> Iterator[Case]:
    one = {"id": "a", "text": "t", "namespace": TEXT_SPACE}
    deep = {"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}}
    rows: list[tuple[str, dict[str, Any], int, str, str | None]] = [
        ("no id", {"text": "t"}, 400, "missing_field", "id"),
        ("id null", {**one, "id": None}, 400, "missing_field", "id"),
        ("id a number", {**one, "id": 5}, 400, "invalid_type", "id"),
        ("id empty", {**one, "id": ""}, 400, "invalid_value", "id"),
        ("id of 513 bytes", {**one, "id": "x" * 513}, 400, "invalid_value", "id"),
        ("id with a line break", {**one, "id": "a\nb"}, 400, "invalid_value", "id"),
        ("id of one dot", {**one, "id": "."}, 400, "invalid_value", "id"),
        ("id with NUL", {**one, "id": "a\x00"}, 400, "invalid_value", "id"),
        ("id of two dots", {**one, "id": ".."}, 400, "invalid_value", "id"),
        ("id with two dots between slashes", {**one, "id": "a/../b"}, 400, "invalid_value", "id"),
        ("neither text nor vector", {"id": "a"}, 400, "missing_field", "text"),
        ("a blank text", {**one, "text": "  "}, 400, "empty_input", "text"),
        ("a vector for a model of texts", {"id": "a", "vector": [1.0]}, 400, "text_required", "vector"),
        ("metadata a list", {**one, "metadata": []}, 400, "invalid_type", "metadata"),
        ("metadata too large", {**one, "metadata": {"k": "x" * 17_000}}, 400, "invalid_value", "metadata"),
        ("metadata too deep", {**one, "metadata": deep}, 400, "invalid_value", "metadata.a.b.c.d.e"),
        ("metadata with NUL", {**one, "metadata": {"k": "\x00"}}, 400, "invalid_text", "metadata.k"),
        ("metadata with an empty key", {**one, "metadata": {"": 1}}, 400, "invalid_value", "metadata"),
        ("metadata of 65 keys", {**one, "metadata": {f"k{n}": n for n in range(65)}}, 400, "invalid_value", "metadata"),
        ("a bad namespace", {**one, "namespace": "No/Such"}, 400, "invalid_value", "namespace"),
        ("an unknown model", {**one, "model_id": "no-such"}, 404, "unknown_model", "model_id"),
        ("another model than the namespace's", {**one, "model_id": EXTERNAL, "vector": [1] * 8}, 409, "model_mismatch",
         "model_id"),
        ("an unknown wait", {**one, "wait": "forever"}, 400, "invalid_value", "wait"),
        ("a field of the answer", {**one, "revision": 9}, 400, "unknown_field", "revision"),
        ("0 documents", {"documents": []}, 400, "invalid_value", "documents"),
        ("257 documents", {"documents": [{"id": str(n), "text": "t"} for n in range(257)]}, 400, "too_many_items",
         "documents"),
        ("the same id twice", {"documents": [{"id": "a", "text": "t"}, {"id": "a", "text": "u"}]}, 400, "duplicate_id",
         "documents[1].id"),
        ("both forms at once", {"documents": [{"id": "a", "text": "t"}], "id": "b"}, 400, "invalid_value", "id"),
        ("no document without a fault", {"documents": [{"id": "a", "text": " "}, {"id": "b"}]}, 400, "empty_input",
         "documents[0].text"),
    ]  # fmt: skip
    for name, body, status, code, where in rows:
        yield post(name, "/v1/upsert", body, status, code, where)
    texts: list[tuple[str, bytes, str]] = [
        ("a key of metadata twice", b'{"id":"a","text":"t","metadata":{"k":1,"k":2}}', "invalid_json"),
        ("an integer of 65 bits", b'{"id":"a","text":"t","metadata":{"k":18446744073709551616}}', "invalid_number"),
        ("an integer of 5,000 digits", b'{"id":"a","text":"t","metadata":{"k":%s}}' % (b"1" * 5000), "invalid_json"),
        ("a number beyond float64", b'{"id":"a","text":"t","metadata":{"k":1e400}}', "invalid_json"),
        ("NaN in metadata", b'{"id":"a","text":"t","metadata":{"k":NaN}}', "invalid_json"),
        ("a lone surrogate in metadata", b'{"id":"a","text":"t","metadata":{"k":"\\ud800"}}', "invalid_json"),
    ]
    for name, text, code in texts:
        yield post(name, "/v1/upsert", text, 400, code)


def upsert_of_several() -> Iterator[Case]:
    """A document with a fault is refused alone: its result has the error, and the others are written."""
    fields = {f"k{number}": number for number in range(65)}
    rows: list[tuple[str, object, str, str]] = [
        ("a blank text", {"id": "z", "text": " "}, "empty_input", "text"),
        ("a text of 32 KiB and a byte", {"id": "z", "text": "x" * (32 * 1024 + 1)}, "text_too_long", "text"),
        ("NUL in a text", {"id": "z", "text": "a\x00b"}, "invalid_text", "text"),
        ("no text", {"id": "z"}, "missing_field", "text"),
        ("no id", {"text": "t"}, "missing_field", "id"),
        ("an id of two dots", {"id": "..", "text": "t"}, "invalid_value", "id"),
        ("an unknown field", {"id": "z", "text": "t", "revision": 9}, "unknown_field", "revision"),
        ("metadata that is a number", {"id": "z", "text": "t", "metadata": 1}, "invalid_type", "metadata"),
        ("metadata of 65 fields", {"id": "z", "text": "t", "metadata": fields}, "invalid_value", "metadata"),
        ("a vector for a model of texts", {"id": "z", "vector": [1]}, "text_required", "vector"),
    ]
    good = {"id": "one/of/several", "text": "t"}
    for name, document, code, field in rows:
        body = {"documents": [good, document], "namespace": "bad-input-several"}
        yield post(f"beside a good one: {name}", "/v1/upsert", body, 200, code, f"documents[1].{field}")
    body = {"documents": [good, 5], "namespace": "bad-input-several"}
    yield post("beside a good one: a number", "/v1/upsert", body, 200, "invalid_type", "documents[1]")


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
        ("no list", b'"1,2"', "invalid_type"),
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


def search() -> Iterator[Case]:
    good: dict[str, Any] = {"query": "x", "namespace": TEXT_SPACE}
    depth = {"not": {"not": {"not": {"not": {"a": 1}}}}}
    many = {"or": [{"k": n} for n in range(65)]}
    rows: list[tuple[str, dict[str, Any], int, str, str | None]] = [
        ("neither query nor vector", {}, 400, "missing_field", "query"),
        ("both query and vector", {**good, "vector": [1.0]}, 400, "invalid_value", "vector"),
        ("a blank query", {**good, "query": " "}, 400, "empty_input", "query"),
        ("an unknown field", {**good, "offset": 10**9}, 400, "unknown_field", "offset"),
        ("an unknown namespace", {**good, "namespace": "no-such"}, 404, "unknown_namespace", "namespace"),
        ("any namespace", {**good, "namespace": "*"}, 400, "invalid_value", "namespace"),
        ("another model than the namespace's", {**good, "model_id": EXTERNAL}, 409, "model_mismatch", "model_id"),
        ("a version that the model does not have", {**good, "model_version": 999}, 404, "unknown_model",
         "model_version"),
        ("model_version 0", {**good, "model_version": 0}, 400, "invalid_value", "model_version"),
        ("model_version 2**31", {**good, "model_version": 2**31}, 400, "invalid_value", "model_version"),
        ("model_version a string", {**good, "model_version": "1"}, 400, "invalid_type", "model_version"),
        ("a forged token", {**good, "min_token": "WyJ4Il0:1:x"}, 400, "invalid_token", "min_token"),
        ("a huge ef_search", {**good, "ef_search": 10**9}, 400, "invalid_value", "ef_search"),
        ("exact a number", {**good, "exact": 1}, 400, "invalid_type", "exact"),
        ("an unknown part", {**good, "include": ["vector"]}, 400, "invalid_value", "include[0]"),
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
    for top_k in (1.0, 1.5, "5", True):
        yield post(f"top_k {top_k!r}", "/v1/search", {**good, "top_k": top_k}, 400, "invalid_type", "top_k")


def urls() -> Iterator[Case]:
    rows: list[tuple[str, str, int, str, str | None]] = [
        ("NUL in an id", "/v1/vectors/%00", 400, "invalid_value", "id"),
        ("a line break in an id", "/v1/vectors/a%0Ab", 400, "invalid_value", "id"),
        ("an id that is no UTF-8", "/v1/vectors/%ff", 400, "invalid_value", "id"),
        ("an id of 8 KiB", "/v1/vectors/" + "x" * 8192, 400, "invalid_value", "id"),
        ("an empty id", "/v1/vectors/", 404, "not_found", None),
        ("an id that was never written", f"/v1/vectors/never?namespace={TEXT_SPACE}", 404, "unknown_document", None),
        ("an id that leads out", f"/v1/vectors/..%2f..%2fadmin?namespace={TEXT_SPACE}", 400, "invalid_value", "id"),
        ("an id of two dots", "/v1/vectors/%2e%2e", 400, "invalid_value", "id"),
        ("an id with a dot between slashes", "/v1/vectors/a/%2e/b", 400, "invalid_value", "id"),
        ("an unknown namespace", "/v1/vectors/a?namespace=no-such", 404, "unknown_namespace", "namespace"),
        ("a bad namespace", "/v1/vectors/a?namespace=%25", 400, "invalid_value", "namespace"),
        ("a misspelt parameter", "/v1/vectors/a?namespce=x", 400, "unknown_field", "namespce"),
        ("a namespace twice", "/v1/vectors/a?namespace=a&namespace=b", 400, "invalid_value", "namespace"),
        ("a namespace that was never written", "/v1/namespaces/no-such", 404, "unknown_namespace", "namespace"),
        ("a namespace in capitals", "/v1/namespaces/ABC", 400, "invalid_value", "name"),
        ("an unknown model", "/v1/models/no-such", 404, "unknown_model", "model_id"),
        ("a model with a space", "/v1/models/a%20b", 400, "invalid_value", "model_id"),
        ("no such path", "/v1/nothing", 404, "not_found", None),
        ("a doubled slash", "//v1/models", 404, "not_found", None),
        ("an unknown part", "/v1/vectors/a?include=text", 400, "invalid_value", "include"),
    ]
    for name, path, status, code, where in rows:
        yield Case(name=name, path=path, method="GET", headers={}, status=status, code=code, field=where)
    for name, path, status, code, where in [*rows[:4], *rows[6:9]]:
        yield Case(
            name=f"delete: {name}", path=path, method="DELETE", headers={}, status=status, code=code, field=where
        )
    yield Case(
        name="delete without an id", path="/v1/vectors/", method="DELETE", headers={}, status=404, code="not_found"
    )


CASES = [
    *syntax(),
    *transport(),
    *embed(),
    *openai(),
    *tokenize(),
    *tei(),
    *upsert(),
    *upsert_of_several(),
    *vectors(),
    *search(),
    *urls(),
    *parameters(),
]
