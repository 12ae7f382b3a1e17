"""The manifest: what a backup holds, of which moment, and the hash of every file."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from embedding_project.regular_files import read_regular
from embeddings_app.records.table_copy import KeySequence
from embeddings_app.services.backups.errors import BackupDamaged
from embeddings_app.services.backups.files import FileEntry, new_file

FORMAT = 1
MANIFEST, MANIFEST_HASH = "manifest.json", "manifest.sha256"
_MAX_BYTES = 64 << 20


def model_path(model: str) -> str:
    """How the paths of the files of a model folder begin."""
    return f"models/{model}/"


@dataclass(frozen=True, slots=True)
class TableEntry:
    """One table, or one partition of the vectors."""

    name: str
    columns: tuple[str, ...]
    rows: int

    @property
    def path(self) -> str:
        return f"tables/{self.name}.copy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One backup."""

    made_at: str
    """Time of the snapshot, ISO 8601."""
    postgres: str
    """Version of the server it was taken from."""
    migrations: tuple[str, ...]
    epoch: str
    shards: int
    """Of the active layout; 0 when there was none."""
    vector_versions: tuple[int, ...]
    """Model versions that have a partition of the vectors."""
    sequences: tuple[KeySequence, ...]
    models: tuple[str, ...]
    """Model folders, by their path below MODEL_ROOT."""
    tables: tuple[TableEntry, ...]
    files: tuple[FileEntry, ...]


def write_manifest(root: Path, manifest: Manifest) -> None:
    """Write it, with its own hash beside it as `sha256sum -c` reads it. Raises OSError."""
    content = json.dumps({"format": FORMAT, **asdict(manifest)}, indent=1).encode()
    with new_file(root, MANIFEST) as file:
        file.write(content)
        entry = file.finish()
    with new_file(root, MANIFEST_HASH) as file:
        file.write(f"{entry.sha256}  {MANIFEST}\n".encode())
        file.finish()


def read_manifest(root: Path) -> Manifest:
    """The manifest of the backup in `root`. Raises BackupDamaged."""
    try:
        content = read_regular(root / MANIFEST, _MAX_BYTES)
        hashed = read_regular(root / MANIFEST_HASH, _MAX_BYTES).decode("ascii")
    except (OSError, ValueError) as error:
        raise BackupDamaged(f"{root} holds no backup: {MANIFEST} or {MANIFEST_HASH} cannot be read") from error
    if hashed.split() != [hashlib.sha256(content).hexdigest(), MANIFEST]:
        raise BackupDamaged(f"{MANIFEST} has another SHA-256 than {MANIFEST_HASH} says")
    try:
        return _decoded(json.loads(content))
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
        raise BackupDamaged(f"{MANIFEST} is not one of format {FORMAT}") from error


def _decoded(value: Mapping[str, Any]) -> Manifest:
    if value["format"] != FORMAT:
        raise ValueError(value["format"])
    manifest = Manifest(
        made_at=_text(value["made_at"]),
        postgres=_text(value["postgres"]),
        migrations=tuple(map(_text, value["migrations"])),
        epoch=_text(value["epoch"]),
        shards=int(value["shards"]),
        vector_versions=tuple(map(int, value["vector_versions"])),
        sequences=tuple(
            KeySequence(_text(entry["table"]), _text(entry["column"]), int(entry["last_value"]))
            for entry in value["sequences"]
        ),
        models=tuple(map(_text, value["models"])),
        tables=tuple(
            TableEntry(_text(entry["name"]), tuple(map(_text, entry["columns"])), int(entry["rows"]))
            for entry in value["tables"]
        ),
        files=tuple(
            FileEntry(_text(entry["path"]), int(entry["size"]), _text(entry["sha256"])) for entry in value["files"]
        ),
    )
    if not all(map(_is_below, [*manifest.models, *(file.path for file in manifest.files)])):
        raise ValueError("a path leads out of the backup")
    if not {table.path for table in manifest.tables} <= {file.path for file in manifest.files}:
        raise ValueError("a table has no file")
    if not all(any(file.path.startswith(model_path(model)) for file in manifest.files) for model in manifest.models):
        raise ValueError("a model has no file")
    return manifest


def _text(value: object) -> str:
    """`value` as what can be a name of a file, or of something in Postgres: no such name holds NUL."""
    if not isinstance(value, str) or "\0" in value:
        raise ValueError("no text")
    return value


def _is_below(path: str) -> bool:
    """Whether `path` names something below the folder that it is joined to, in the one way to write it."""
    pure = PurePosixPath(path)
    return bool(pure.parts) and not pure.is_absolute() and ".." not in pure.parts and str(pure) == path
