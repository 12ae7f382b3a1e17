"""/v1/search: the right documents, and never one that should not be seen."""

import base64
import struct
from typing import Any

import httpx
import pytest

from tests.acceptance.conftest import ok

SPACE = "search"
DOCUMENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "fox": ("Foxes sleep in dens that they dig into the ground.", {"kind": "animal", "legs": 4, "tags": ["wild"]}),
    "owl": (
        "Owls hunt mice at night with almost silent wings.",
        {"kind": "animal", "legs": 2, "tags": ["wild"]},
    ),
    "cat": ("The house cat purrs when it is stroked.", {"kind": "animal", "legs": 4, "tags": ["pet"]}),
    "bread": ("Sourdough bread rises slowly and is baked in a hot oven.", {"kind": "food", "tags": ["baked"]}),
    "soup": ("Lentil soup is cooked with carrots and cumin.", {"kind": "food", "tags": ["cooked"]}),
    "loan": ("The bank raised the interest rate on mortgages.", {"kind": "money", "rate": 4.5}),
    "rocket": ("The rocket lifted a satellite into orbit.", {"kind": "space", "crew": False}),
    "python": ("A list comprehension builds a list from an iterable.", {"kind": "code", "lang": "python"}),
}


@pytest.fixture(scope="module", autouse=True)
def corpus(api: httpx.Client) -> str:
    """The documents above, searchable; gives the token of their position."""
    documents = [{"id": name, "text": text, "metadata": metadata} for name, (text, metadata) in DOCUMENTS.items()]
    answer = ok(api.post("/v1/upsert", json={"documents": documents, "namespace": SPACE, "wait": "searchable"}))
    token: str = answer["token"]
    return token


def search(api: httpx.Client, query: str, **options: Any) -> dict[str, Any]:
    return ok(api.post("/v1/search", json={"query": query, "namespace": SPACE, **options}))


def ids(result: dict[str, Any]) -> list[str]:
    return [hit["id"] for hit in result["hits"]]


@pytest.mark.parametrize(
    ("query", "nearest"),
    [
        ("where do foxes rest?", "fox"),
        ("nocturnal bird of prey", "owl"),
        ("a pet that meows", "cat"),
        ("baking a loaf", "bread"),
        ("vegetarian meal in a pot", "soup"),
        ("borrowing money for a house", "loan"),
        ("space launch", "rocket"),
        ("programming language syntax", "python"),
    ],
)
@pytest.mark.parametrize("exact", [False, True])
def test_the_nearest_in_meaning_comes_first(api: httpx.Client, query: str, nearest: str, exact: bool) -> None:
    assert ids(search(api, query, exact=exact))[0] == nearest


def test_an_answer_describes_itself(api: httpx.Client) -> None:
    result = search(api, "animals", top_k=3)
    assert (result["partial"], result["shards"]) == (False, {"total": 2, "ok": 2, "failed": []})
    assert (result["model_id"], result["model_version"]) == ("all-MiniLM-L6-v2", 1)
    assert result["timings_ms"]["total"] > 0
    scores = [hit["score"] for hit in result["hits"]]
    assert scores == sorted(scores, reverse=True)
    assert all(-1.001 <= score <= 1.001 for score in scores)


def test_a_filter_on_a_field_that_is_not_there_is_answered_with_a_warning(api: httpx.Client) -> None:
    answer = search(api, "animals", filters={"knd": "animal"})
    assert (answer["hits"], len(answer["warnings"])) == ([], 1)
    assert answer["warnings"][0].startswith("no document has a field 'knd'; there are crew, kind, ")
    assert "warnings" not in search(api, "animals", filters={"kind": "animal"})


def test_a_filter_on_a_value_of_another_kind_is_answered_with_a_warning(api: httpx.Client) -> None:
    answer = search(api, "animals", filters={"kind": 5})
    assert (answer["hits"], answer["warnings"]) == ([], ["'eq' looks for numbers in 'kind', which holds strings"])


def test_a_query_of_which_the_model_knows_nothing_is_answered_with_a_warning(api: httpx.Client) -> None:
    assert search(api, "\U0001f98a")["warnings"][0].startswith("the model knows no token of the query")
    assert "warnings" not in search(api, "a \U0001f98a")


def test_top_k_is_an_upper_bound(api: httpx.Client) -> None:
    assert len(search(api, "anything", top_k=1)["hits"]) == 1
    assert len(search(api, "anything", top_k=3)["hits"]) == 3
    assert sorted(ids(search(api, "anything", top_k=1000))) == sorted(DOCUMENTS)


def test_include_decides_what_comes_along(api: httpx.Client) -> None:
    def fields(**options: Any) -> set[str]:
        return set(search(api, "fox", top_k=1, **options)["hits"][0])

    assert fields() == {"id", "score", "metadata"}
    assert fields(include=[]) == {"id", "score"}
    assert fields(include=["text"]) == {"id", "score", "text"}
    hit = search(api, "fox", top_k=1, include=["text", "metadata"])["hits"][0]
    assert (hit["text"], hit["metadata"]) == DOCUMENTS["fox"]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, set(DOCUMENTS)),
        (None, set(DOCUMENTS)),
        ({"kind": "animal"}, {"fox", "owl", "cat"}),
        ({"kind": "animal", "legs": 4}, {"fox", "cat"}),
        ({"kind": {"in": ["food", "money"]}}, {"bread", "soup", "loan"}),
        ({"kind": {"ne": "animal"}}, {"bread", "soup", "loan", "rocket", "python"}),
        ({"legs": {"gte": 2, "lt": 4}}, {"owl"}),
        ({"legs": "4"}, set()),
        ({"legs": 4.0}, {"fox", "cat"}),
        ({"rate": {"gt": 4}}, {"loan"}),
        ({"crew": False}, {"rocket"}),
        ({"crew": 0}, set()),
        ({"tags": {"contains": "wild"}}, {"fox", "owl"}),
        ({"legs": {"exists": False}}, {"bread", "soup", "loan", "rocket", "python"}),
        ({"or": [{"kind": "space"}, {"lang": "python"}]}, {"rocket", "python"}),
        ({"not": {"kind": {"in": ["animal", "food"]}}}, {"loan", "rocket", "python"}),
        ({"and": [{"kind": "animal"}, {"not": {"tags": {"contains": "pet"}}}]}, {"fox", "owl"}),
        ({"kind": "' OR 1=1--"}, set()),
        ({"nothing": "x"}, set()),
    ],
    ids=lambda value: str(sorted(value) if isinstance(value, set) else value),
)
def test_a_filter_passes_exactly_what_matches(api: httpx.Client, filters: Any, expected: set[str]) -> None:
    assert set(ids(search(api, "anything", filters=filters, top_k=100))) == expected


def test_a_stored_vector_finds_its_own_document(api: httpx.Client) -> None:
    vector = ok(api.get(f"/v1/vectors/owl?namespace={SPACE}&include=vector"))["vector"]
    hit = ok(api.post("/v1/search", json={"vector": vector, "namespace": SPACE, "top_k": 1}))["hits"][0]
    assert (hit["id"], hit["score"]) == ("owl", pytest.approx(1, abs=1e-3))


def test_a_document_is_found_as_soon_as_it_is_searchable_and_not_once_it_is_deleted(api: httpx.Client) -> None:
    text = "Volcanoes erupt when magma rises."
    ok(api.post("/v1/upsert", json={"id": "volcano", "text": text, "namespace": SPACE, "wait": "searchable"}))
    assert ids(search(api, "lava and magma", top_k=1)) == ["volcano"]
    ok(api.delete(f"/v1/vectors/volcano?namespace={SPACE}"))
    assert "volcano" not in ids(search(api, "lava and magma", top_k=100))


def test_a_token_makes_a_search_see_the_write(api: httpx.Client) -> None:
    body = {"id": "glacier", "text": "Glaciers are rivers of ice.", "namespace": SPACE, "wait": "indexed"}
    token = ok(api.post("/v1/upsert", json=body))["token"]
    assert ids(search(api, "frozen river", top_k=1, min_token=token)) == ["glacier"]
    ok(api.delete(f"/v1/vectors/glacier?namespace={SPACE}"))


def test_several_tokens_are_waited_for_together(api: httpx.Client) -> None:
    names = [f"tide/{number}" for number in range(8)]
    tokens = [
        ok(api.post("/v1/upsert", json={"id": name, "text": name, "namespace": SPACE, "wait": "indexed"}))["token"]
        for name in names
    ]
    assert set(ids(search(api, "tide", top_k=100, min_token=tokens))) >= set(names)
    response = api.post("/v1/search", json={"query": "x", "namespace": SPACE, "min_token": [tokens[0], tokens[1][:-2]]})
    assert (response.status_code, response.json()["error"]["field"]) == (400, "min_token[1]")
    ok(api.post("/v1/documents/delete", json={"ids": names, "namespace": SPACE}))


def test_a_damaged_token_is_refused(api: httpx.Client, corpus: str) -> None:
    damaged = corpus[:-1] + ("A" if corpus[-1] != "A" else "B")
    response = api.post("/v1/search", json={"query": "x", "namespace": SPACE, "min_token": damaged})
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_token")


def test_a_change_of_metadata_holds_for_the_next_search(api: httpx.Client) -> None:
    for state in ("draft", "final"):
        body = {"id": "report", "text": "The annual report.", "metadata": {"state": state}}
        ok(api.post("/v1/upsert", json={**body, "namespace": SPACE, "wait": "searchable"}))
        found = {name: ids(search(api, "report", filters={"state": name})) for name in ("draft", "final")}
        assert found == {"draft": [], "final": [], state: ["report"]}
    ok(api.delete(f"/v1/vectors/report?namespace={SPACE}"))


def test_a_namespace_is_never_left(api: httpx.Client) -> None:
    body = {"id": "fox", "text": DOCUMENTS["fox"][0], "namespace": "search-2", "wait": "searchable"}
    ok(api.post("/v1/upsert", json=body))
    result = ok(api.post("/v1/search", json={"query": "animals", "namespace": "search-2", "top_k": 100}))
    assert ids(result) == ["fox"]


def test_vectors_of_the_client_are_searched_by_cosine(api: httpx.Client, external_model: str) -> None:
    space = "search-of-vectors"
    axes = {f"axis {axis}": [float(axis == position) * (axis + 1) for position in range(8)] for axis in range(8)}
    documents = [{"id": name, "vector": vector, "text": f"about {name}"} for name, vector in axes.items()]
    body = {"documents": documents, "namespace": space, "model_id": external_model, "wait": "searchable"}
    ok(api.post("/v1/upsert", json=body))
    query = {"vector": [0, 0, 5, 0, 0, 1, 0, 0], "namespace": space, "top_k": 2, "include": ["text"]}
    hits = ok(api.post("/v1/search", json=query))["hits"]
    assert [hit["id"] for hit in hits] == ["axis 2", "axis 5"]
    assert [hit["score"] for hit in hits] == pytest.approx([5 / 26**0.5, 1 / 26**0.5], abs=1e-3)
    assert hits[0]["text"] == "about axis 2"


def test_a_vector_in_base64_is_the_vector_in_a_list(api: httpx.Client, external_model: str) -> None:
    space = "search-of-base64"
    listed = [[float((row + 2) ** place % 7) - 2.5 for place in range(8)] for row in range(5)]
    encoded = [base64.b64encode(struct.pack("<8f", *vector)).decode() for vector in listed]

    def written(vectors: list[Any]) -> list[dict[str, Any]]:
        documents = [{"id": f"v{number}", "vector": vector} for number, vector in enumerate(vectors)]
        body = {"documents": documents, "namespace": space, "model_id": external_model, "wait": "searchable"}
        found: list[dict[str, Any]] = ok(api.post("/v1/upsert", json=body))["results"]
        return found

    assert [one["revision"] for one in written([*encoded[:3], *listed[3:]])] == [1] * 5
    assert [(one["revision"], one["unchanged"]) for one in written([*listed[:3], *encoded[3:]])] == [(1, True)] * 5

    shown = {"namespace": space, "include": ["vector"]}
    alone = [ok(api.post("/v1/search", json={"vector": vector, **shown}))["hits"] for vector in [*listed, *encoded]]
    assert alone[:5] == alone[5:]
    assert [hits[0]["id"] for hits in alone[:5]] == [f"v{number}" for number in range(5)]
    searches = [{"vector": vector, **shown} for vector in [*listed, *encoded]]
    together = ok(api.post("/v1/search/batch", json={"searches": searches}))["results"]
    assert [one["hits"] for one in together] == alone
