"""Large answers of a running service are compressed as the client asks for it."""

import gzip
import json
from typing import Any

import httpx
import pytest
import zstandard

from tests.acceptance.conftest import until_cached
from tests.conftest import Service

TEXTS = [f"what page {number} says" for number in range(8)]


def asked(service: Service, accepts: str, texts: list[str]) -> tuple[httpx.Headers, bytes]:
    """Headers and bytes of an answer as they came over the wire."""
    headers = {"Accept-Encoding": accepts}
    with httpx.stream("POST", f"{service.url}/v1/embed", json={"inputs": texts}, headers=headers, timeout=30) as answer:
        assert answer.status_code == 200
        return answer.headers, b"".join(answer.iter_raw())


def vectors(content: bytes) -> Any:
    return json.loads(content)["embeddings"]


@pytest.fixture(scope="module")
def plain(small: Service) -> Any:
    with httpx.Client(base_url=small.url, timeout=30) as client:
        until_cached(client, TEXTS)
    headers, content = asked(small, "identity", TEXTS)
    assert "Content-Encoding" not in headers
    assert headers["Vary"] == "Accept-Encoding"
    return vectors(content)


@pytest.mark.parametrize("accepts", ["zstd", "gzip, deflate, br, zstd", "gzip;q=0.8, zstd;q=0.9", "zstd, gzip;q=0"])
def test_an_answer_comes_by_zstd(accepts: str, small: Service, plain: Any) -> None:
    headers, content = asked(small, accepts, TEXTS)
    assert (headers["Content-Encoding"], headers["Vary"]) == ("zstd", "Accept-Encoding")
    assert int(headers["Content-Length"]) == len(content)
    assert vectors(zstandard.ZstdDecompressor().decompress(content)) == plain


@pytest.mark.parametrize("accepts", ["gzip", "zstd;q=0.2, gzip;q=0.3", "zstd;q=0, gzip"])
def test_an_answer_comes_by_gzip(accepts: str, small: Service, plain: Any) -> None:
    headers, content = asked(small, accepts, TEXTS)
    assert headers["Content-Encoding"] == "gzip"
    assert vectors(gzip.decompress(content)) == plain


def test_a_small_answer_and_one_for_other_codings_are_left(small: Service) -> None:
    assert "Content-Encoding" not in asked(small, "zstd", TEXTS[:1])[0]
    assert "Content-Encoding" not in asked(small, "br, *, zstd;q=0", TEXTS)[0]


def test_a_client_that_knows_zstd_reads_it_by_itself(small: Service, plain: Any) -> None:
    answer = httpx.post(f"{small.url}/v1/embed", json={"inputs": TEXTS}, timeout=30)
    assert answer.headers["Content-Encoding"] == "zstd"
    assert answer.json()["embeddings"] == plain
