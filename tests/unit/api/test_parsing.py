"""What is refused before and while a body is read."""

import io

import pytest

from embedding_project.contracts.limits import MAX_BODY_BYTES
from embeddings_app.api.parsing import StrictJsonParser, check_transport
from tests.unit.api.refusals import refusal

GOOD = {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": "2"}


@pytest.mark.parametrize(
    "meta",
    [
        {},
        {"CONTENT_TYPE": "application/json; charset=utf-8"},
        {"CONTENT_TYPE": 'Application/JSON;charset="UTF-8"'},
        {"HTTP_CONTENT_ENCODING": "identity"},
        {"CONTENT_LENGTH": str(MAX_BODY_BYTES)},
    ],
)
def test_json_of_known_length_passes(meta: dict[str, str]) -> None:
    check_transport({**GOOD, **meta})


@pytest.mark.parametrize(
    ("meta", "code"),
    [
        ({"CONTENT_TYPE": ""}, "unsupported_media_type"),
        ({"CONTENT_TYPE": "text/plain"}, "unsupported_media_type"),
        ({"CONTENT_TYPE": "application/jsonp"}, "unsupported_media_type"),
        ({"CONTENT_TYPE": "multipart/form-data; boundary=x"}, "unsupported_media_type"),
        ({"CONTENT_TYPE": "application/json; charset=latin1"}, "unsupported_media_type"),
        ({"CONTENT_TYPE": "application/json; charset=utf-16"}, "unsupported_media_type"),
        ({"HTTP_CONTENT_ENCODING": "gzip"}, "unsupported_media_type"),
        ({"CONTENT_LENGTH": str(MAX_BODY_BYTES + 1)}, "body_too_large"),
        ({"CONTENT_LENGTH": "9" * 30}, "invalid_value"),
        ({"CONTENT_LENGTH": "-1"}, "invalid_value"),
        ({"CONTENT_LENGTH": ""}, "invalid_json"),
        ({"CONTENT_LENGTH": "0"}, "invalid_json"),
    ],
)
def test_a_bad_transport_is_refused(meta: dict[str, str], code: str) -> None:
    assert refusal(lambda: check_transport({**GOOD, **meta}))[0] == code


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{'a': 1}",
        b'{"a": 1,}',
        b'{"a": 1} // c',
        b'\xef\xbb\xbf{"a": 1}',
        b'{"a": "\xff"}',
        b'{"a": "\xc0\xaf"}',
        b'{"a": "\n"}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1e999}',
        b'{"a": ' + b"1" * 400 + b"}",
        b'{"a": "\\ud800"}',
        b"[" * 5_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    ],
    ids=lambda body: repr(body[:16]),
)
def test_what_is_no_json_is_refused(body: bytes) -> None:
    assert refusal(lambda: StrictJsonParser().parse(io.BytesIO(body))) == ("invalid_json", None)


def test_integers_of_64_bits_are_exact() -> None:
    value = StrictJsonParser().parse(io.BytesIO(b'{"a": 9007199254740993, "b": 18446744073709551615}'))
    assert value == {"a": 9007199254740993, "b": 2**64 - 1}
