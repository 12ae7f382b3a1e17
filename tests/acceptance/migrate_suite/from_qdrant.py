"""Points of a Qdrant that runs in this process."""

import os
from datetime import datetime
from pathlib import Path
from uuid import UUID

import pytest
from moved import documents, killed, migrate, vectors
from qdrant_client import QdrantClient, models

DEEP = {"a": {"b": {"c": {"d": {"e": {"f": 7}, "g": [1]}}}}}
UUID_ID = "11111111-2222-3333-4444-555555555555"
DENSE = models.VectorParams(size=8, distance=models.Distance.COSINE)


@pytest.fixture
def place(tmp_path: Path) -> str:
    client = QdrantClient(path=str(tmp_path / "qdrant"))
    client.create_collection("plain", vectors_config=DENSE)
    payloads = [
        (1, {"page_content": "Foxes live in dens.", "metadata": {"lang": "en", "year": 2024, "deep": DEEP}}),
        (2, {"page_content": "Owls hunt at night.", "big": 2**70, "tags": ["bird", 1]}),
        (UUID_ID, {"page_content": "Bats sleep.", "at": datetime(2026, 1, 2)}),  # noqa: DTZ001
        (4, {"title": "no text"}),
    ]
    points = [
        models.PointStruct(id=one, vector=[1.0] * 7 + [n], payload=load) for n, (one, load) in enumerate(payloads)
    ]
    client.upsert("plain", points)
    client.create_collection(
        "several",
        vectors_config={"dense": DENSE, "other": DENSE},
        sparse_vectors_config={"words": models.SparseVectorParams()},
    )
    sparse = models.SparseVector(indices=[1, 5], values=[0.5, 0.5])
    named = {"dense": [0.0, 2.0, *[0.0] * 6], "other": [1.0] * 8, "words": sparse}
    client.upsert("several", [models.PointStruct(id=n, vector=named, payload={"n": n}) for n in range(3)])
    client.create_collection("many", vectors_config=DENSE)
    client.upsert(
        "many", [models.PointStruct(id=n, vector=[1.0] * 8, payload={"text": f"page {n}"}) for n in range(200)]
    )
    client.close()
    return str(tmp_path / "qdrant")


def test_texts_are_embedded_again_and_payloads_kept(place: str) -> None:
    moved = migrate("qdrant", place, "plain", "-n", "from-qdrant", "--text", "page_content")
    assert (moved.code, moved.report["written"], moved.report["failed_count"]) == (4, 3, 1)
    assert moved.report["failed"][0]["id"] == "4"
    found = documents("from-qdrant")
    assert set(found) == {"1", "2", str(UUID(UUID_ID))}
    kept = {"lang": "en", "year": 2024, "deep": {"a": {"b": {"c.d.e.f": 7}}}}
    assert found["1"] == ("Foxes live in dens.", {"metadata": kept})
    assert found["2"] == ("Owls hunt at night.", {"tags": ["bird", 1]})
    assert "left out: 1 x big: an integer beyond 64 bits" in moved.said
    assert "metadata.deep.a.b.c.d.g: a list on a level beyond" in moved.said


def test_vectors_are_taken_along(place: str) -> None:
    words = ("qdrant", place, "several", "-n", "from-qdrant-vectors", "--vectors", "--vector", "dense")
    moved = migrate(*words, "--model", os.environ["EXTERNAL_MODEL"])
    assert (moved.code, moved.report["written"]) == (0, 3), moved
    assert vectors("from-qdrant-vectors") == {one: [0.0, 1.0, *[0.0] * 6] for one in "012"}
    assert "left out: 3 x vector 'other': a document has one vector" in moved.said
    assert migrate(*words).code == 2


def test_a_command_that_was_killed_goes_on(place: str, tmp_path: Path) -> None:
    checkpoint = tmp_path / "move.ckpt"
    words = ("qdrant", place, "many", "-n", "from-qdrant-many")
    killed(words, checkpoint)
    moved = migrate(*words, "--checkpoint", str(checkpoint))
    assert moved.code == 0
    assert moved.report["resumed"] > 0
    assert moved.report["resumed"] + moved.report["written"] == 200
    assert len(documents("from-qdrant-many")) == 200
    assert not checkpoint.exists()


def test_a_collection_that_is_not_there(place: str) -> None:
    moved = migrate("qdrant", place, "no", "-n", "from-qdrant")
    assert moved.code == 2
    assert "plain, several, many" in moved.said
