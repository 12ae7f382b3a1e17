"""Which answers are compressed."""

import gzip

import pytest
import zstandard
from django.http import HttpRequest, HttpResponse

from embedding_project.config import load_config
from embeddings_app.api.compression import CompressedAnswers
from embeddings_app.api.cors import Cors

LARGE = b'{"vectors": [' + b"0.25, " * 2_000 + b"0.5]}"


def answered(
    content: bytes = LARGE,
    *,
    least: int = 10_000,
    path: str = "/v1/search",
    kind: str = "application/json",
    accepts: str = "gzip, deflate",
    coding: str = "",
) -> HttpResponse:
    request = HttpRequest()
    request.path = request.path_info = path
    request.META["HTTP_ACCEPT_ENCODING"] = accepts
    headers = {"Content-Encoding": coding} if coding else None
    made = CompressedAnswers(lambda _: HttpResponse(content, content_type=kind, headers=headers), least)
    response = made(request)
    assert isinstance(response, HttpResponse)
    return response


def test_a_large_answer_is_compressed() -> None:
    response = answered()
    assert gzip.decompress(response.content) == LARGE
    assert response.headers["Content-Encoding"] == "gzip"
    assert response.headers["Vary"] == "Accept-Encoding"
    assert int(response.headers["Content-Length"]) == len(response.content) < len(LARGE) / 4


def test_zstd_is_the_better_coding() -> None:
    response = answered(accepts="gzip, deflate, br, zstd")
    assert zstandard.ZstdDecompressor().decompress(response.content) == LARGE
    assert response.headers["Content-Encoding"] == "zstd"
    assert response.headers["Vary"] == "Accept-Encoding"
    assert int(response.headers["Content-Length"]) == len(response.content) < len(LARGE) / 4


def test_the_size_of_an_answer_is_not_exact() -> None:
    assert len({len(answered(accepts="zstd").content) for _ in range(30)}) > 5


@pytest.mark.parametrize(
    ("accepts", "coding"),
    [
        ("gzip", "gzip"),
        ("br;q=0, gzip;q=0.001", "gzip"),
        ("gzip;q=1.0, identity;q=0", "gzip"),
        ("deflate;q=0,gzip", "gzip"),
        ("gzip;q=0.9, zstd;q=0.8", "gzip"),
        ("zstd;q=0, gzip;q=0.5", "gzip"),
        ("ZSTD ; Q = 0.5 , gzip;q=0.5", "zstd"),
        ("zstd;q=0.001", "zstd"),
        ("gzip;q=0, zstd", "zstd"),
        ("identity;q=0.5, zstd;q=0.5", "zstd"),
    ],
)
def test_what_the_client_likes_best_is_sent(accepts: str, coding: str) -> None:
    assert answered(accepts=accepts).headers["Content-Encoding"] == coding


def test_an_answer_that_is_compressed_already_is_left() -> None:
    assert answered(accepts="zstd", coding="br").content == LARGE


def test_what_an_answer_varies_by_is_added_up() -> None:
    response = answered()
    Cors({"https://app.example.com"}).allow(HttpRequest(), response)
    assert response.headers["Vary"] == "Accept-Encoding, Origin"


@pytest.mark.parametrize(
    "accepts",
    [
        "identity",
        "",
        "gzip;q=0",
        "gzip; q=0.000, *",
        "*",
        "br, GZIP ;q=0.0 , deflate",
        "zstd;q=0",
        "zstd;q=much, gzip;q=-1, gzip zstd",
        "identity, zstd;q=0.5, gzip;q=0.5",
    ],
)
def test_a_cache_is_told_that_another_client_gets_another_answer(accepts: str) -> None:
    response = answered(accepts=accepts)
    assert response.content == LARGE
    assert response.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    "changed",
    [{"content": LARGE[:9_000]}, {"least": 0}, {"kind": "application/octet-stream"}, {"path": "/admin/x"}],
    ids=["small", "never", "vectors as bytes", "a page"],
)
def test_all_others_are_left_as_they_are(changed: dict[str, object]) -> None:
    response = answered(**changed)  # type: ignore[arg-type]
    assert "Content-Encoding" not in response.headers
    assert "Vary" not in response.headers


def test_nothing_is_compressed_unless_it_is_wanted() -> None:
    assert load_config().compress_from_bytes == 0
