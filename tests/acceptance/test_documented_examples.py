"""Every answer that the API reference shows has the keys of a real one."""

import json
import re
from typing import Any

import httpx
import pytest

from tests.conftest import ROOT

SPACE, WORDS = "documented-examples", "documented-words"
DOCUMENTS = [
    {"id": "notes/1", "text": "Foxes live in dens.", "metadata": {"lang": "en", "year": 2024}},
    {"id": "notes/2", "text": "Owls hunt at night.", "metadata": {"lang": "en", "year": 2019}},
]
BLANK = {"id": "notes/2", "text": " "}
CALLS: list[tuple[str, int, str, dict[str, Any] | None]] = [
    ("POST /v1/embed", 0, "/v1/embed", {"inputs": ["a red fox", "ein roter Fuchs"]}),
    ("POST /v1/embed", 1, "/v1/embed", {"inputs": ["a red fox", " "]}),
    ("POST /v1/embeddings", 0, "/v1/embeddings", {"input": "a red fox", "model": "all-MiniLM-L6-v2"}),
    ("POST /v1/embeddings", 1, "/v1/embeddings", {"input": "a red fox", "model": "x"}),
    ("POST /v1/tokenize", 0, "/v1/tokenize", {"inputs": ["a red fox"]}),
    ("POST /v1/upsert", 0, "/v1/upsert", {"documents": DOCUMENTS, "namespace": SPACE, "wait": "searchable"}),
    ("POST /v1/upsert", 1, "/v1/upsert", {"documents": [DOCUMENTS[0], BLANK], "namespace": SPACE}),
    ("POST /v1/search", 0, "/v1/search", {"query": "where do foxes sleep?", "top_k": 1, "namespace": SPACE}),
    (
        "POST /v1/search",
        1,
        "/v1/search",
        {"mode": "text", "text_query": {"words": "foxes", "prefixes": ["den"]}, "namespace": WORDS},
    ),
    (
        "POST /v1/search/batch",
        0,
        "/v1/search/batch",
        {
            "searches": [
                {"query": "where do foxes sleep?", "top_k": 1, "namespace": SPACE},
                {"query": "x", "namespace": "no"},
            ]
        },
    ),
    ("POST /v1/documents/facet", 0, "/v1/documents/facet", {"field": "lang", "namespace": SPACE}),
    (
        "POST /v1/documents/map",
        0,
        "/v1/documents/map",
        {"field": "lang", "query": "a fox", "ids": ["notes/2"], "namespace": SPACE},
    ),
    ("POST /v1/documents/update", 0, "/v1/documents/update", {"all": True, "set": {"year": 2019}, "namespace": SPACE}),
    ("GET /v1/vectors/{doc_id}", 0, f"/v1/vectors/notes/2?namespace={SPACE}", None),
    ("DELETE /v1/vectors/{doc_id}", 0, f"/v1/vectors/notes/1?namespace={SPACE}", None),
    ("GET /v1/namespaces", 0, "/v1/namespaces", None),
    ("DELETE /v1/namespaces/{name}", 0, "/v1/namespaces/no-such", None),
    ("GET /v1/namespaces/{name}", 0, f"/v1/namespaces/{SPACE}", None),
    ("GET /v1/models", 0, "/v1/models", None),
    ("GET /v1/models/{model_id}", 0, "/v1/models/all-MiniLM-L6-v2", None),
    ("GET /v1/models/{model_id}/versions", 0, "/v1/models/all-MiniLM-L6-v2/versions", None),
    ("GET /v1/models/{model_id}/versions/{version}", 0, "/v1/models/all-MiniLM-L6-v2/versions/1", None),
    ("GET /v1/keys", 0, "/v1/keys", None),
    ("GET /healthz", 0, "/healthz", None),
    ("GET /readyz", 0, "/readyz", None),
]


@pytest.fixture(scope="module", autouse=True)
def words(api: httpx.Client) -> None:
    """A namespace with text search."""
    api.put(f"/v1/namespaces/{WORDS}", json={"text_search": "english"}).raise_for_status()
    api.post("/v1/upsert", json={"documents": DOCUMENTS, "namespace": WORDS}).raise_for_status()


def documented() -> dict[str, list[Any]]:
    """Heading of each route -> the JSON that stands below it."""
    text = (ROOT / "docs" / "reference" / "api.md").read_text(encoding="utf-8")
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    blocks = {
        section.partition("\n")[0]: re.findall(r"^```json\n(.*?)^```$", section, re.M | re.S) for section in sections
    }
    return {heading: [json.loads(block) for block in found] for heading, found in blocks.items() if found}


def same_keys(shown: Any, given: Any) -> bool:
    """Whether the keys agree at every level. Of a list, each item that is shown must look like one that was given:
    other tests add versions of the model, which look otherwise."""
    if isinstance(shown, dict) and isinstance(given, dict):
        return shown.keys() == given.keys() and all(same_keys(shown[name], given[name]) for name in shown)
    if isinstance(shown, list) and isinstance(given, list):
        return bool(shown) == bool(given) and all(any(same_keys(item, other) for other in given) for item in shown)
    return not isinstance(shown, dict | list) and not isinstance(given, dict | list)


def test_every_example_is_compared() -> None:
    assert {heading: len(found) for heading, found in documented().items()} == {
        heading: 1 + max(number for other, number, _, _ in CALLS if other == heading) for heading, *_ in CALLS
    }


@pytest.mark.parametrize(("heading", "number", "path", "body"), CALLS, ids=lambda value: str(value)[:40])
def test_an_example_has_the_keys_of_the_answer(
    api: httpx.Client, heading: str, number: int, path: str, body: dict[str, Any] | None
) -> None:
    answer = api.request(heading.partition(" ")[0], path, json=body)
    shown = documented()[heading][number]
    assert same_keys(shown, answer.json()), answer.text
