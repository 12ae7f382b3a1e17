"""Namespaces take turns at being embedded, in a whole service."""

import time
from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest

from tests.acceptance.conftest import ok

PATIENCE_SECONDS = 120.0
BACKLOG, REQUEST = 1_280, 256
UNDER_WAY = 64
"""Documents that two turns of the indexer hold; in the order in which they came, no more would be left."""


@pytest.fixture
def crowded(api: httpx.Client) -> Iterator[str]:
    """A namespace with more documents than are embedded in a while."""
    name = f"crowded-{uuid4().hex[:8]}"
    words = " ".join(f"word{number}" for number in range(60))
    documents = [{"id": str(number), "text": f"{name} {number} {words}"} for number in range(BACKLOG)]
    for start in range(0, BACKLOG, REQUEST):
        ok(api.post("/v1/upsert", json={"namespace": name, "documents": documents[start : start + REQUEST]}))
    yield name
    ok(api.delete(f"/v1/namespaces/{name}"))


def test_three_documents_are_searchable_while_a_backlog_of_another_namespace_waits(
    api: httpx.Client, crowded: str
) -> None:
    name = f"beside-{crowded}"
    documents = [{"id": str(number), "text": f"owl {number} of {name}"} for number in range(3)]
    until = time.monotonic() + PATIENCE_SECONDS
    states: set[str] = set()
    while states != {"searchable"}:
        assert time.monotonic() < until, states
        body = {"namespace": name, "documents": documents, "wait": "searchable"}
        states = {result["state"] for result in ok(api.post("/v1/upsert", json=body))["results"]}
    assert ok(api.get(f"/v1/namespaces/{crowded}"))["pending"] > UNDER_WAY
