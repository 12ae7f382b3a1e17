"""The tensors in the safetensors files of a model, read from their headers alone.

Each header must fit the size of its file: so its tensors are there, and take no more memory than the file has bytes.
"""

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embedding_project.model_sources.model_folder import ModelFilesError, parsed_json, read_object
from embedding_project.regular_files import open_regular

WEIGHTS, WEIGHTS_INDEX = "model.safetensors", "model.safetensors.index.json"
MAX_HEADER_BYTES = 16 * 1024 * 1024
MAX_TENSORS = 20_000
_MAX_SHARDS = 1_000
_LENGTH = struct.Struct("<Q")
_BITS = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3"), 8),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 16),
    **dict.fromkeys(("U32", "I32", "F32"), 32),
    **dict.fromkeys(("U64", "I64", "F64"), 64),
}


@dataclass(frozen=True, slots=True)
class StoredTensor:
    shape: tuple[int, ...]

    @property
    def numbers(self) -> int:
        return math.prod(self.shape)


def stored_tensors(folder: Path) -> dict[str, StoredTensor]:
    """The tensors in the weights of `folder`, by name. Raises ModelFilesError."""
    found: dict[str, StoredTensor] = {}
    for path in _files(folder):
        found.update(_tensors(path))
        if len(found) > MAX_TENSORS:
            raise ModelFilesError(f"the weights hold more than {MAX_TENSORS} tensors")
    return found


def _files(folder: Path) -> list[Path]:
    if (folder / WEIGHTS).exists() or not (folder / WEIGHTS_INDEX).exists():
        return [folder / WEIGHTS]
    names = read_object(folder / WEIGHTS_INDEX).get("weight_map")
    shards = set(names.values()) if isinstance(names, dict) and all(map(_plain, names.values())) else set()
    if not 0 < len(shards) <= _MAX_SHARDS:
        raise ModelFilesError(f"{WEIGHTS_INDEX} does not map tensors to files of the folder")
    return [folder / name for name in sorted(shards)]


def _plain(name: object) -> bool:
    return isinstance(name, str) and name.endswith(".safetensors") and "/" not in name


def _tensors(path: Path) -> Iterator[tuple[str, StoredTensor]]:
    try:
        with open_regular(path) as file:
            size = path.stat().st_size
            length = int.from_bytes(file.read(_LENGTH.size), "little")
            rest = size - _LENGTH.size - length
            if length > MAX_HEADER_BYTES or rest < 0:
                raise ModelFilesError(f"{path.name} is damaged: a header of {length} bytes in a file of {size}")
            header = parsed_json(file.read(length), path.name)
    except OSError as error:
        raise ModelFilesError(f"{path.name} cannot be read: {error.strerror}") from error
    tensors = {name: entry for name, entry in _object(header, path).items() if name != "__metadata__"}
    if sum(_bytes(entry, path) for entry in tensors.values()) != rest:
        raise ModelFilesError(f"{path.name} is damaged: its header names more or fewer bytes than it holds")
    yield from ((name, StoredTensor(tuple(entry["shape"]))) for name, entry in tensors.items())


def _object(value: object, path: Path) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ModelFilesError(f"{path.name} is damaged: its header is no JSON object")
    return value


def _bytes(entry: object, path: Path) -> int:
    """The bytes of one tensor by its shape and type, which must fit its place in the file."""
    match entry:
        case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [int(start), int(end)]}:
            if dtype not in _BITS:
                raise ModelFilesError(f"{path.name} holds tensors of the type {dtype}, which is not supported")
            sound = all(type(side) is int and side >= 0 for side in shape)
            if sound and math.prod(shape) * _BITS[dtype] == 8 * (end - start):
                return end - start
    raise ModelFilesError(f"{path.name} is damaged: a shape does not fit its bytes")
