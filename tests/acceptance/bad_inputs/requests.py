"""Bad bodies, headers, methods and paths, whatever the route."""

import json
from collections.abc import Iterator

from tests.acceptance.bad_inputs.case import DEFAULT, JSON, MIB, TEXT_SPACE, Case, post


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


def idempotency_keys() -> Iterator[Case]:
    """A key names one write."""
    document = json.dumps({"id": "keyed", "text": "t", "namespace": TEXT_SPACE}).encode()
    by_filter = json.dumps({"filters": {"n": 1}, "namespace": TEXT_SPACE}).encode()
    dry = json.dumps({"ids": ["keyed"], "dry_run": True, "namespace": TEXT_SPACE}).encode()
    rows = [
        ("an empty idempotency key", "/v1/upsert", document, ""),
        ("an idempotency key with a space", "/v1/upsert", document, "a key"),
        ("an idempotency key of 256 characters", "/v1/upsert", document, "k" * 256),
        ("an idempotency key for a change by filter", "/v1/documents/delete", by_filter, "k"),
        ("an idempotency key for a dry run", "/v1/documents/delete", dry, "k"),
    ]
    for name, path, body, key in rows:
        yield Case(
            name=name, path=path, content=body, headers={**JSON, "idempotency-key": key}, status=400,
            code="invalid_value", field="Idempotency-Key",
        )  # fmt: skip


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
