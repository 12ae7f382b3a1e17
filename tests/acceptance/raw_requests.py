"""Requests that no client library sends, and the answer to each. Most are Granian's, recorded as they were observed."""

from dataclasses import dataclass

BODY = b'{"inputs":["x"]}'
_LENGTH = b"Content-Length: %d\r\n" % len(BODY)


@dataclass(frozen=True, slots=True, kw_only=True)
class RawCase:
    name: str
    request: bytes
    status: int
    code: str = ""
    """Empty where the server library answers, without a body, and for good answers."""
    finished: bool = False
    """Whether the client closes its side after the last byte."""


def raw_post(headers: bytes, *, length: bytes = _LENGTH, media_type: bytes = b"application/json") -> bytes:
    """The head of a request to /v1/embed."""
    start = b"POST /v1/embed HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\n" % media_type
    return start + length + headers + b"\r\n"


def _get(headers: bytes, line: bytes = b"GET /v1/models HTTP/1.1") -> bytes:
    return line + b"\r\nHost: localhost\r\n" + headers + b"\r\n"


_CHUNKS = b"10\r\n" + BODY + b"\r\n0\r\n\r\n"
_CHUNKED = b"Transfer-Encoding: chunked\r\n"

RAW_CASES = (
    RawCase(name="two equal Content-Lengths", request=raw_post(_LENGTH) + BODY, status=200),
    RawCase(name="two different Content-Lengths", request=raw_post(b"Content-Length: 3\r\n") + BODY, status=400),
    RawCase(name="Content-Length: x", request=raw_post(b"", length=b"Content-Length: x\r\n") + BODY, status=400),
    RawCase(name="Content-Length: -1", request=raw_post(b"", length=b"Content-Length: -1\r\n") + BODY, status=400),
    RawCase(name="Content-Length: +16", request=raw_post(b"", length=b"Content-Length: +16\r\n") + BODY, status=400),
    RawCase(name="Content-Length and chunked", request=raw_post(_CHUNKED) + _CHUNKS, status=200),
    RawCase(name="chunked", request=raw_post(_CHUNKED, length=b"") + _CHUNKS, status=200),
    RawCase(
        name="a body shorter than its Content-Length",
        request=raw_post(b"", length=b"Content-Length: 100\r\n") + BODY,
        status=400,
        code="invalid_json",
        finished=True,
    ),
    RawCase(name="200 headers", request=_get(b"".join(b"X-%d: y\r\n" % n for n in range(200))), status=431),
    RawCase(name="a header of 64 KiB", request=_get(b"X: " + b"y" * 65_536 + b"\r\n"), status=200),
    # The server looks at what it has after each read of up to 408 KiB, and refuses more than that.
    RawCase(name="a header of 1 MB", request=_get(b"X: " + b"y" * 1_000_000 + b"\r\n"), status=431),
    RawCase(
        name="a URL of 16 KiB",
        request=_get(b"", b"GET /v1/vectors/" + b"a" * 16_384 + b" HTTP/1.1"),
        status=400,
        code="invalid_value",
    ),
    RawCase(name="a URL of 70 KB", request=_get(b"", b"GET /v1/vectors/" + b"a" * 70_000 + b" HTTP/1.1"), status=414),
    RawCase(
        name="Expect: 100-continue before a body of another type",
        request=raw_post(b"Expect: 100-continue\r\n", media_type=b"text/plain"),
        status=415,
        code="unsupported_media_type",
    ),
    RawCase(name="HTTP/0.9", request=b"GET /v1/models\r\n\r\n", status=400),
    RawCase(name="HTTP/2.0 without TLS", request=_get(b"", b"GET /v1/models HTTP/2.0"), status=400),
    RawCase(name="a space before a colon", request=_get(b"X : a\r\n"), status=400),
    RawCase(name="a folded header", request=_get(b"X: a\r\n b\r\n"), status=400),
    RawCase(name="NUL in a header", request=_get(b"X: a\x00b\r\n"), status=400),
    RawCase(name="bytes that are no HTTP", request=b"\x00\xff\xfe\r\n\r\n", status=400),
    RawCase(name="the first bytes of TLS", request=b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", status=400),
    RawCase(name="two Authorization headers, keyless", request=_get(b"Authorization: Bearer a\r\n" * 2), status=200),
)
