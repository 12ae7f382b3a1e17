"""Which answers are compressed."""

import gzip

import pytest
from django.http import HttpRequest, HttpResponse

from embedding_project.config import load_config
from embeddings_app.api.compression import CompressedAnswers
from embeddings_app.api.cors import Cors

LARGE = b'{"vectors": [' + b"0.25, " * 2_000 + b"0.5]}"


def answered(
    content: bytes = LARGE, *, least: int = 10_000, path: str = "/v1/search", kind: str = "application/json",
    accepts: str = "gzip, deflate",
) -> HttpResponse:  # fmt: skip
    request = HttpRequest()
    request.path = request.path_info = path
    request.META["HTTP_ACCEPT_ENCODING"] = accepts
    made = CompressedAnswers(lambda _: HttpResponse(content, content_type=kind), least)
    response = made(request)
    assert isinstance(response, HttpResponse)
    return response


def test_a_large_answer_is_compressed() -> None:
    response = answered()
    assert gzip.decompress(response.content) == LARGE
    assert response.headers["Content-Encoding"] == "gzip"
    assert response.headers["Vary"] == "Accept-Encoding"
    assert int(response.headers["Content-Length"]) == len(response.content) < len(LARGE) / 4


@pytest.mark.parametrize("accepts", ["gzip", "br;q=0, gzip;q=0.001", "gzip;q=1.0, identity;q=0", "deflate;q=0,gzip"])
def test_a_weight_above_zero_is_consent(accepts: str) -> None:
    assert answered(accepts=accepts).headers["Content-Encoding"] == "gzip"


def test_what_an_answer_varies_by_is_added_up() -> None:
    response = answered()
    Cors({"https://app.example.com"}).allow(HttpRequest(), response)
    assert response.headers["Vary"] == "Accept-Encoding, Origin"


@pytest.mark.parametrize("accepts", ["identity", "", "gzip;q=0", "gzip; q=0.000, *", "br, GZIP ;q=0.0 , deflate"])
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
