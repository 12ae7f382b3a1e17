"""Every row of the bad-input catalogue has one answer, none is a 500, and the service goes on."""

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from embedding_project.contracts.limits import MAX_BODY_BYTES
from embeddings_app.api.error_shapes import TEI_PATHS
from tests.acceptance.bad_inputs.case import EXTERNAL_SPACE, TEXT_SPACE, Case
from tests.acceptance.bad_inputs.catalogue import CASES
from tests.acceptance.conftest import ok
from tests.acceptance.raw_requests import BODY, RAW_CASES, RawCase, raw_post
from tests.acceptance.wire import send, send_twice
from tests.conftest import Service


@pytest.fixture(scope="module", autouse=True)
def namespaces(api: httpx.Client, external_model: str) -> Iterator[None]:
    """Two namespaces, one of texts and one of vectors; at the end the service must still do its work."""
    ok(
        api.post(
            "/v1/upsert", json={"id": "good", "text": "a good text", "namespace": TEXT_SPACE, "wait": "searchable"}
        )
    )
    vector = {"id": "good", "vector": [1.0] * 8, "namespace": EXTERNAL_SPACE, "model_id": external_model}
    ok(api.post("/v1/upsert", json={**vector, "wait": "searchable"}))
    yield
    assert len(ok(api.post("/v1/embed", json={"inputs": ["x"]}))["embeddings"]) == 1
    for query in ({"query": "good", "namespace": TEXT_SPACE}, {"vector": [1.0] * 8, "namespace": EXTERNAL_SPACE}):
        assert [hit["id"] for hit in ok(api.post("/v1/search", json=query))["hits"]] == ["good"]


def told(response: httpx.Response) -> tuple[str, str | None, str]:
    """Code, field and message of an error, in whichever form its route answers."""
    body = response.json()
    if response.request.url.path in TEI_PATHS:
        return body["error_type"], None, body["error"]
    # In an upsert of several documents the last one has the fault.
    error = body["results"][-1]["error"] if "results" in body else body["error"]
    if response.request.url.path == "/v1/embeddings":
        assert set(error) == {"message", "type", "param", "code"}
        return error["code"], error["param"], error["message"]
    return error["code"], error.get("field"), error["message"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.path[:24]} {case.name}")
def test_bad_input_has_its_answer(api: httpx.Client, case: Case) -> None:
    response = api.request(case.method, case.path, content=case.content, headers=case.headers)
    code, field, message = told(response)
    assert (response.status_code, code, field) == (case.status, case.code, case.field), message
    assert message
    assert len(response.content) < 1000
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"]
    assert ("allow" in response.headers) == (case.status == 405)


def test_a_body_in_chunks_is_read_up_to_the_limit(api: httpx.Client) -> None:
    json = {"content-type": "application/json"}
    assert ok(api.post("/v1/embed", content=iter([b'{"inputs":', b'["x"]}']), headers=json))["embeddings"]
    largest = (b" " * (MAX_BODY_BYTES // 8) for _ in range(8))
    assert api.post("/v1/embed", content=largest, headers=json).json()["error"]["code"] == "invalid_json"
    response = api.post("/v1/embed", content=iter([b" " * MAX_BODY_BYTES, b" "]), headers=json)
    assert (response.status_code, response.json()["error"]["code"]) == (413, "body_too_large")
    assert response.headers["connection"] == "close"


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST /v1/embed HTTP/1.1\r\nContent-Type: text/plain", 415),
        (b"POST /nothing HTTP/1.1", 404),
        (b"POST /healthz HTTP/1.1", 405),
        (b"PUT /v1/embed HTTP/1.1", 405),
        (b"GET /v1/models HTTP/1.1", 200),
        (b"POST /admin/login/ HTTP/1.1", 403),
    ],
)
@pytest.mark.parametrize("framing", [b"Content-Length: 3000000", b"Transfer-Encoding: chunked"])
def test_a_body_nobody_asked_for_is_not_taken_for_the_next_request(
    service: Service, head: bytes, status: int, framing: bytes
) -> None:
    body = b"x" * 3_000_000
    body = body if b"Length" in framing else b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"
    more = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    first, second = send_twice(service.url, head + b"\r\nHost: localhost\r\n" + framing + b"\r\n\r\n" + body + more)
    assert (first.status, second.status) == (status, 200)


def test_the_rest_of_a_body_too_large_is_not_read_and_the_connection_closes(service: Service) -> None:
    head = b"POST /v1/embed HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    answer = send(service.url, head % (MAX_BODY_BYTES + 1))
    assert (answer.status, answer.headers["connection"]) == (413, "close")


def test_one_bad_text_among_255_good_ones_fails_alone(api: httpx.Client) -> None:
    documents = [{"id": f"d{number}", "text": f"text {number}"} for number in range(256)]
    documents[100]["text"] = " "
    results = ok(api.post("/v1/upsert", json={"documents": documents, "namespace": "bad-input-256"}))["results"]
    assert [result["id"] for result in results] == [document["id"] for document in documents]
    assert results.pop(100)["error"]["field"] == "documents[100].text"
    assert {result["revision"] for result in results} == {1}
    assert ok(api.get("/v1/namespaces/bad-input-256"))["count"] == 255


def test_an_oversize_body_is_refused_before_it_is_sent(service: Service) -> None:
    head = b"POST /v1/embed HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    answer = send(service.url, head % 10**12)
    assert (answer.status, answer.json()["error"]["code"]) == (413, "body_too_large")


@pytest.mark.parametrize(
    ("request_line", "headers"),
    [
        (b"GET /v1/models HTTP/1.1", b""),
        (b"GET /v1/models HTTP/1.0", b""),
        (b"GET /v1/models HTTP/1.1", b"Host: localhost\r\nHost: evil\r\n"),
    ],
    ids=["no host", "no host in HTTP/1.0", "two hosts"],
)
def test_a_request_names_one_host(service: Service, request_line: bytes, headers: bytes) -> None:
    answer = send(service.url, request_line + b"\r\n" + headers + b"\r\n")
    assert (answer.status, answer.json()["error"]["code"]) == (400, "invalid_value")


def test_a_method_override_is_ignored(api: httpx.Client) -> None:
    headers = {"x-http-method-override": "DELETE"}
    ok(api.get(f"/v1/vectors/good?namespace={TEXT_SPACE}", headers=headers))
    ok(api.get(f"/v1/vectors/good?namespace={TEXT_SPACE}"))


@pytest.mark.parametrize("case", RAW_CASES, ids=lambda case: case.name)
def test_a_raw_request_has_its_answer(service: Service, case: RawCase) -> None:
    answer = send(service.url, case.request, finished=case.finished)
    code = answer.json()["error"]["code"] if answer.body[:1] == b"{" and answer.status >= 400 else ""
    assert (answer.status, code) == (case.status, case.code)


def test_what_follows_a_body_is_no_part_of_it_and_no_second_answer_belongs_to_it(service: Service) -> None:
    first, second = send_twice(service.url, raw_post(b"") + BODY + b"GARBAGE\r\n\r\n")
    assert (first.status, second.status) == (200, 400)


def test_bodies_that_never_arrive_hold_places_and_leave_health_alone(service: Service) -> None:
    address = urlsplit(service.url)
    stalled = [socket.create_connection((address.hostname, address.port or 80), timeout=10) for _ in range(40)]
    try:
        for connection in stalled:
            connection.sendall(raw_post(b"") + BODY[:5])
        assert httpx.get(f"{service.url}/healthz", timeout=20).status_code == 200
        assert httpx.post(f"{service.url}/v1/embed", json={"inputs": ["x"]}, timeout=20).status_code == 200
    finally:
        for connection in stalled:
            connection.close()


def test_integers_of_64_bits_come_back_exactly(api: httpx.Client) -> None:
    metadata = {"low": -(2**63), "odd": 9007199254740993, "high": 2**64 - 1}
    ok(
        api.post(
            "/v1/upsert", json={"id": "exact", "text": "t", "namespace": "bad-input-numbers", "metadata": metadata}
        )
    )
    assert ok(api.get("/v1/vectors/exact?namespace=bad-input-numbers"))["metadata"] == metadata


@pytest.mark.parametrize("key", ["a__b", "metadata__id__regex", "_connector", "$where", "__class__", "' OR 1=1"])
def test_a_filter_key_is_only_a_name(api: httpx.Client, key: str) -> None:
    body = {"query": "good", "namespace": TEXT_SPACE, "filters": {key: "%"}}
    assert ok(api.post("/v1/search", json=body))["hits"] == []


def test_texts_that_look_bad_and_are_not(api: httpx.Client) -> None:
    texts = ["a" + "\u0301" * 10_000, "\u202eabc", "👩‍👩‍👧", "x" * 32 * 1024, "1" * 5000, "<|endoftext|> [MASK]"]
    result = ok(api.post("/v1/embed", json={"inputs": texts}))
    assert [item for item in result["items"] if "error" in item] == []


def test_no_foreign_origin_is_let_in(api: httpx.Client) -> None:
    response = api.get("/v1/models", headers={"origin": "https://evil.example"})
    assert "access-control-allow-origin" not in response.headers
