"""The header `Idempotency-Key`: sent again, a write is not done again, and the answer is the same."""

import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from embsearch import Client, Conflict, Document

from tests.conftest import Service

SPACE = "idempotency"


def name() -> str:
    return secrets.token_hex(8)


def send(api: httpx.Client, key: str, method: str, path: str, body: Any = None) -> httpx.Response:
    return api.request(method, path, json=body, headers={"Idempotency-Key": key})


def upserted(api: httpx.Client, key: str, text: str, **more: Any) -> httpx.Response:
    document = {"id": "a", "text": text, "namespace": SPACE, **more}
    return send(api, key, "POST", "/v1/upsert", document)


def is_replay(answer: httpx.Response) -> bool:
    return bool(answer.headers.get("Idempotency-Replayed") == "true")


@pytest.mark.parametrize("wait", ["accepted", "searchable"])
def test_an_upsert_that_is_sent_again_gets_its_answer(api: httpx.Client, wait: str) -> None:
    key = name()
    first = upserted(api, key, f"first {key}", wait=wait)
    upserted(api, name(), f"between {key}", wait="searchable")
    again = upserted(api, key, f"first {key}", wait=wait)
    assert (first.status_code, is_replay(first), again.status_code, is_replay(again)) == (200, False, 200, True)
    assert again.content == first.content
    assert again.headers["content-type"] == "application/json"
    # The later write stays.
    assert api.get(f"/v1/vectors/a?namespace={SPACE}").json()["text"] == f"between {key}"


def test_the_other_writes_too(api: httpx.Client) -> None:
    text = name()
    upserted(api, name(), text)
    requests = [
        ("POST", "/v1/documents/update", {"ids": ["a"], "set": {"n": text}, "namespace": SPACE}),
        ("POST", "/v1/documents/delete", {"ids": ["a", "no"], "namespace": SPACE}),
        ("DELETE", f"/v1/vectors/a?namespace={SPACE}", None),
    ]
    for method, path, body in requests:
        key = name()
        first = send(api, key, method, path, body)
        upserted(api, name(), text)
        again = send(api, key, method, path, body)
        assert (first.status_code, is_replay(first), is_replay(again)) == (200, False, True), path
        assert again.content == first.content
        assert api.get(f"/v1/vectors/a?namespace={SPACE}").status_code == 200


def test_the_key_with_another_request_is_refused(api: httpx.Client) -> None:
    key = name()
    upserted(api, key, "one")
    others = [
        upserted(api, key, "two"),
        send(api, key, "POST", "/v1/documents/delete", {"ids": ["a"], "namespace": SPACE}),
        send(api, key, "DELETE", f"/v1/vectors/a?namespace={SPACE}"),
    ]
    for answer in others:
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["field"]) == (
            409,
            "idempotency_key_reused",
            "Idempotency-Key",
        )


def test_requests_at_once_are_one_write(api: httpx.Client, service: Service) -> None:
    key, text = name(), name()
    before = upserted(api, name(), f"before {text}").json()["results"][0]["revision"]

    def one(_number: int) -> httpx.Response:
        with httpx.Client(base_url=service.url, headers=api.headers, timeout=30) as client:
            return upserted(client, key, text)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(one, range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert [is_replay(answer) for answer in answers].count(False) == 1
    assert {answer.json()["results"][0]["revision"] for answer in answers} == {before + 1}


def test_a_refused_request_may_be_mended_under_its_key(api: httpx.Client) -> None:
    key = name()
    assert upserted(api, key, " ").status_code == 400
    assert upserted(api, key, "mended").status_code == 200


def test_the_client_sends_one(api: httpx.Client, service: Service) -> None:
    with Client(service.url, api_key=api.headers.get("authorization", "").removeprefix("Bearer ") or None) as client:
        notes, key = client.namespace(f"{SPACE}-client"), name()
        first = notes.upsert(Document("a", key), idempotency_key=key)
        notes.upsert(Document("a", "later"))
        assert notes.upsert(Document("a", key), idempotency_key=key) == first
        with pytest.raises(Conflict) as caught:
            notes.upsert(Document("a", "other"), idempotency_key=key)
        assert caught.value.code == "idempotency_key_reused"
        rows = [{"id": str(number), "text": f"{key} {number}"} for number in range(6)]
        for _ in range(2):
            notes.upload(rows, batch=4, idempotency_key=name())
        reports = [notes.upload(rows, batch=4, idempotency_key=key) for _ in range(2)]
        assert [report.unchanged for report in reports] == [6, 6]
