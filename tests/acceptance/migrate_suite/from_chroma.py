"""Records of a Chroma that runs in this process."""

import os
from pathlib import Path

import chromadb
import pytest
from moved import documents, killed, migrate, vectors


@pytest.fixture
def place(tmp_path: Path) -> str:
    client = chromadb.PersistentClient(path=str(tmp_path / "chroma"))
    plain = client.create_collection("plain", embedding_function=None)
    plain.add(
        ids=["a", "b", "c", "d"],
        embeddings=[[0.0, 2.0, *[0.0] * 6]] * 4,
        documents=["Foxes live in dens.", "Owls hunt at night.", None, None],
        metadatas=[{"lang": "en", "year": 2024, "share": 0.5}, {"lang": "en"}, {"document": "Bats.", "n": 1}, {"n": 2}],
    )
    many = client.create_collection("many", embedding_function=None)
    many.add(
        ids=[str(number) for number in range(300)],
        embeddings=[[1.0] * 8] * 300,
        documents=[f"page {number}" for number in range(300)],
    )
    return str(tmp_path / "chroma")


def test_documents_are_embedded_again(place: str) -> None:
    moved = migrate("chroma", place, "plain", "-n", "from-chroma")
    assert (moved.code, moved.report["written"], moved.report["failed"][0]["id"]) == (4, 3, "d"), moved
    assert documents("from-chroma") == {
        "a": ("Foxes live in dens.", {"lang": "en", "year": 2024, "share": 0.5}),
        "b": ("Owls hunt at night.", {"lang": "en"}),
        "c": ("Bats.", {"n": 1}),
    }
    assert "many, plain" in migrate("chroma", place, "no").said
    assert migrate("chroma", "nowhere", "no").code == 2


def test_embeddings_are_taken_along(place: str) -> None:
    moved = migrate(
        "chroma", place, "plain", "-n", "from-chroma-vectors", "--vectors", "--model", os.environ["EXTERNAL_MODEL"]
    )
    assert (moved.code, moved.report["written"]) == (0, 4), moved
    assert vectors("from-chroma-vectors") == {one: [0.0, 1.0, *[0.0] * 6] for one in "abcd"}


def test_a_command_that_was_killed_goes_on(place: str, tmp_path: Path) -> None:
    checkpoint = tmp_path / "move.ckpt"
    words = ("chroma", place, "many", "-n", "from-chroma-many")
    killed(words, checkpoint)
    moved = migrate(*words, "--checkpoint", str(checkpoint))
    assert (moved.code, moved.report["resumed"] + moved.report["written"]) == (0, 300)
    assert moved.report["resumed"] > 0
    assert len(documents("from-chroma-many")) == 300
