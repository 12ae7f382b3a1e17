"""Bad documents."""

from collections.abc import Iterator
from typing import Any

from tests.acceptance.bad_inputs.case import EXTERNAL, TEXT_SPACE, Case, post


def upsert() -> Iterator[Case]:
    one = {"id": "a", "text": "t", "namespace": TEXT_SPACE}
    deep = {"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}}
    rows: list[tuple[str, dict[str, Any], int, str, str | None]] = [
        ("no id", {"text": "t"}, 400, "missing_field", "id"),
        ("id null", {**one, "id": None}, 400, "missing_field", "id"),
        ("id a number", {**one, "id": 5}, 400, "invalid_type", "id"),
        ("expires_at with no offset", {**one, "expires_at": "2099-01-01T00:00:00"}, 400, "invalid_value", "expires_at"),
        ("expires_at a day", {**one, "expires_at": "2099-01-01"}, 400, "invalid_value", "expires_at"),
        ("expires_at a number", {**one, "expires_at": 4070908800}, 400, "invalid_type", "expires_at"),
        ("expires_at in the 13th month", {**one, "expires_at": "2099-13-01T00:00:00Z"}, 400, "invalid_value",
         "expires_at"),
        ("if_revision -1", {**one, "if_revision": -1}, 400, "invalid_value", "if_revision"),
        ("if_revision a string", {**one, "if_revision": "1"}, 400, "invalid_type", "if_revision"),
        ("a revision that the document is not at", {**one, "id": "no-such", "if_revision": 3}, 409,
         "revision_conflict", "if_revision"),
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
