"""Documents over HTTP: listed, counted, changed and deleted, and what searches then show."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.acceptance.conftest import ok

SPACE = "document-lists"
ANIMALS = [
    ("fox", "Foxes live in dens.", {"lang": "en", "legs": 4}),
    ("owl", "Owls hunt at night.", {"lang": "en", "legs": 2}),
    ("wal", "Wale singen im Meer.", {"lang": "de", "legs": 0}),
]


@pytest.fixture
def animals(api: httpx.Client) -> Iterator[None]:
    documents = [{"id": name, "text": text, "metadata": metadata} for name, text, metadata in ANIMALS]
    ok(api.post("/v1/upsert", json={"namespace": SPACE, "documents": documents, "wait": "searchable"}))
    yield
    ok(api.post("/v1/documents/delete", json={"namespace": SPACE, "all": True}))


def ask(api: httpx.Client, route: str, **body: Any) -> dict[str, Any]:
    return ok(api.post(f"/v1/documents/{route}", json={"namespace": SPACE, **body}))


def found(api: httpx.Client, **more: Any) -> set[str]:
    answer = ok(api.post("/v1/search", json={"namespace": SPACE, "query": "an animal", "top_k": 10, **more}))
    return {hit["id"] for hit in answer["hits"]}


@pytest.mark.usefixtures("animals")
def test_documents_are_listed_with_what_was_asked_for(api: httpx.Client) -> None:
    page = ask(api, "query", filters={"lang": "en"}, limit=1)
    (fox,) = page["documents"]
    assert (fox["id"], fox["text"], fox["metadata"]) == ANIMALS[0]
    assert "vector" not in fox
    rest = ask(api, "query", filters={"lang": "en"}, cursor=page["next"], include=["vector"])
    (owl,) = rest["documents"]
    assert owl["id"] == "owl"
    assert "text" not in owl
    assert abs(sum(number**2 for number in owl["vector"]) - 1.0) < 1e-5
    assert rest["next"] is None


@pytest.mark.usefixtures("animals")
def test_documents_are_read_by_their_ids(api: httpx.Client) -> None:
    answer = ask(api, "get", ids=["wal", "none", "fox", "wal"])
    assert [document["id"] for document in answer["documents"]] == ["wal", "fox"]
    assert answer["missing"] == ["none"]
    read = ok(api.get("/v1/vectors/fox", params={"namespace": SPACE}))
    assert answer["documents"][1] == read


@pytest.mark.usefixtures("animals")
def test_documents_and_values_are_counted(api: httpx.Client) -> None:
    assert ask(api, "count") == {"count": 3, "is_exact": True}
    assert ask(api, "count", filters={"legs": {"gt": 1}})["count"] == 2
    assert ask(api, "facet", field="lang") == {
        "values": [{"value": "en", "count": 2}, {"value": "de", "count": 1}],
        "is_exact": True,
    }


@pytest.mark.usefixtures("animals")
def test_documents_are_placed_beside_those_that_are_like_them(api: httpx.Client) -> None:
    seen = ask(api, "map", field="lang", query="Foxes live in dens.", ids=["owl", "none"])
    spots = {spot["id"]: spot for spot in seen["documents"]}
    assert {name: spot["value"] for name, spot in spots.items()} == {"fox": "en", "owl": "en", "wal": "de"}
    assert seen["is_whole"] is True
    assert seen["query"] == pytest.approx({"x": spots["fox"]["x"], "y": spots["fox"]["y"]}, abs=1e-3)
    assert seen["named"] == [spots["owl"]]
    again = ask(api, "map", filters={"lang": "en"}, limit=1)
    assert (len(again["documents"]), again["is_whole"], again["query"]) == (1, False, None)
    assert "value" not in again["documents"][0]
    assert ask(api, "map", filters={"lang": "fr"})["documents"] == []


@pytest.mark.usefixtures("animals")
def test_no_search_finds_what_was_deleted_by_filter(api: httpx.Client) -> None:
    assert found(api) == {"fox", "owl", "wal"}
    assert ask(api, "delete", filters={"lang": "en"}, dry_run=True) == {"deleted": 2, "is_exact": True, "next": None}
    assert found(api) == {"fox", "owl", "wal"}
    assert ask(api, "delete", filters={"lang": "en"}) == {"deleted": 2, "next": None}
    assert found(api) == {"wal"}
    assert ask(api, "delete", ids=["wal", "none"]) == {"deleted": 1, "next": None}
    assert ask(api, "count")["count"] == 0


@pytest.mark.usefixtures("animals")
def test_changed_metadata_is_what_filters_see_and_the_vector_stays(api: httpx.Client) -> None:
    before = ask(api, "get", ids=["fox"], include=["vector"])["documents"][0]
    done = ask(
        api, "update", filters={"lang": "en"}, set={"reviewed": True, "legs": 5}, unset=["lang"], wait="searchable"
    )
    assert (done["matched"], done["updated"], done["refused"], done["next"]) == (2, 2, [], None)
    assert found(api, filters={"reviewed": True, "legs": 5}) == {"fox", "owl"}
    assert found(api, filters={"lang": "en"}) == set()
    after = ask(api, "get", ids=["fox"], include=["vector", "text"])["documents"][0]
    assert (after["vector"], after["revision"]) == (before["vector"], before["revision"] + 1)
    assert after["text"] == ANIMALS[0][1]
    assert ask(api, "update", ids=["wal", "none"], set={"lang": "no"})["updated"] == 1


def test_a_namespace_is_made_listed_and_dropped(api: httpx.Client) -> None:
    url = "/v1/namespaces/short-lived"
    made = api.put(url, json={"store_text": False})
    assert (made.status_code, made.json()["store_text"], made.json()["count"]) == (201, False, 0)
    assert api.put(url, json={"store_text": False}).status_code == 200
    assert api.put(url).json()["error"]["code"] == "namespace_exists"
    ok(api.post("/v1/upsert", json={"namespace": "short-lived", "id": "a", "text": "soon gone", "wait": "searchable"}))
    listed = ok(api.get("/v1/namespaces", params={"after": "short-live", "limit": 1}))["namespaces"]
    assert [(entry["name"], entry["count"]) for entry in listed] == [("short-lived", 1)]
    assert ok(api.delete(url)) == {"name": "short-lived", "dropped": True}
    assert ok(api.delete(url))["dropped"] is False
    search = {"namespace": "short-lived", "query": "soon"}
    assert api.post("/v1/search", json=search).json()["error"]["code"] == "unknown_namespace"
    ok(api.post("/v1/upsert", json={"namespace": "short-lived", "id": "b", "text": "new", "wait": "searchable"}))
    assert [hit["id"] for hit in ok(api.post("/v1/search", json=search))["hits"]] == ["b"]
    ok(api.delete(url))


@pytest.mark.usefixtures("animals")
def test_a_search_with_the_token_of_an_update_sees_it(api: httpx.Client) -> None:
    token = ask(api, "update", all=True, set={"seen": "yes"})["token"]
    assert found(api, filters={"seen": "yes"}, min_token=token) == {"fox", "owl", "wal"}


def test_a_document_is_shown_until_its_time_is_over(api: httpx.Client) -> None:
    body = {"namespace": SPACE, "id": "short", "text": "An animal that lives for a second.", "wait": "searchable"}
    for seconds in (2, 8, 30, 120):
        soon = datetime.now(UTC) + timedelta(seconds=seconds)
        ok(api.post("/v1/upsert", json={**body, "expires_at": soon.isoformat()}))
        # On a busy machine its time may be over before anybody could find it.
        if "short" in found(api):
            break
    else:
        pytest.fail("it was never shown")
    while datetime.now(UTC) <= soon:
        time.sleep(0.1)
    assert "short" not in found(api)
    assert ask(api, "get", ids=["short"])["missing"] == ["short"]
