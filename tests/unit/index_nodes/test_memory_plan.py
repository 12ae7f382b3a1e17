"""What an index will take is known before it is loaded: from its rows, its vectors, and a sample of its metadata."""

from dataclasses import replace

from embedding_project.contracts.vector_storage import VectorStorage
from index_nodes.graph_storage import GRAPH_KIND
from index_nodes.memory_plan import IndexSize, field_bytes, load_bytes, snapshot_bytes
from index_nodes.snapshot_files import FORMAT, FileFacts, Manifest

SIZE = IndexSize(rows=1_000_000, dimension=384, storage=VectorStorage.FP32, field_bytes=0.0)


def test_a_million_vectors_take_what_was_measured_and_room_to_load() -> None:
    assert 1.75e9 < load_bytes(SIZE) - 4 * 384 * 262_144 < 1.9e9


def test_a_smaller_storage_saves_its_numbers_but_not_the_room_to_load() -> None:
    half = replace(SIZE, storage=VectorStorage.FP16)
    assert load_bytes(SIZE) - load_bytes(half) == 2 * 384 * SIZE.rows


def test_a_small_index_has_all_of_its_rows_twice() -> None:
    assert load_bytes(replace(SIZE, rows=1_000)) == 1_000 * (2 * 4 * 384 + 150 + 32 + 56 + 4 + 56)


def test_a_snapshot_takes_the_codes_too_that_none_of_its_files_holds() -> None:
    long = Manifest(
        format=FORMAT,
        epoch="",
        layout=1,
        version_key=1,
        shard=0,
        seq=1,
        dimension=384,
        storage=VectorStorage.SQ8,
        documents=1_000_000,
        digest=0,
        written_ms=0,
        files={"graph.faiss": FileFacts(534_000_000, "")},
        **GRAPH_KIND,
    )
    assert snapshot_bytes(long) - snapshot_bytes(replace(long, dimension=128)) == 56 * long.documents


def test_values_that_repeat_cost_next_to_nothing() -> None:
    few = field_bytes({"kind": number % 7, "tags": ["a", "b"]} for number in range(500))
    many = field_bytes({"kind": number % 7, "title": f"title {number}"} for number in range(500))
    lists = field_bytes({"tags": [f"a{number}", f"b{number}"]} for number in range(500))
    assert few < 20
    assert 300 < many < 400
    assert 900 < lists < 1_200


def test_no_documents_have_no_metadata() -> None:
    assert field_bytes([]) == 0
