"""The manifest of a snapshot: what it is of, which files it has, and a checksum over itself.

It is written in one canonical form only, so that a changed byte anywhere in it is noticed. What it says is believed
after its types and ranges have been checked, and no name in it leads out of the folder.
"""

import hashlib
import json
import re
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from index_nodes.snapshot_files import FileFacts

MANIFEST = "manifest.json"
FORMAT = 2
_MAX_MANIFEST_BYTES = 64 * 2**20
_FILE_NAME = re.compile(r"[a-z][a-z0-9_-]{0,60}\.(npy|jsonl|faiss)")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class SnapshotDamaged(Exception):
    """A snapshot that must not be read; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    format: int
    epoch: str
    layout: int
    version_key: int
    shard: int
    seq: int
    """Every change of the log up to here is contained; later ones may be."""
    dimension: int
    metric: str
    neighbours: int
    """M of the graphs."""
    ef_construction: int
    faiss: str
    """Version that wrote the graphs."""
    documents: int
    digest: int
    written_ms: int
    """Milliseconds since 1970."""
    files: Mapping[str, FileFacts]
    """By name, all but the manifest."""

    @property
    def folder_name(self) -> str:
        """Sorts by age."""
        return f"{self.seq:020d}-{self.written_ms:014d}"


def encode(manifest: Manifest) -> bytes:
    body = {**asdict(manifest), "files": {name: list(facts) for name, facts in manifest.files.items()}}
    text = _canonical(body)
    return _canonical({"manifest": body, "sha256": hashlib.sha256(text).hexdigest()})


def decode(data: bytes) -> Manifest:
    """Raises SnapshotDamaged."""
    try:
        content = json.loads(data)
        body = content["manifest"]
        if content["sha256"] != hashlib.sha256(_canonical(body)).hexdigest() or _canonical(content) != data:
            raise SnapshotDamaged("the manifest was changed")
        files = {_name(name): _facts(*facts) for name, facts in body["files"].items()}
        manifest = Manifest(**{**body, "files": files})
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise SnapshotDamaged("the manifest cannot be read") from error
    _check_types(manifest)
    if manifest.format != FORMAT:
        raise SnapshotDamaged(f"its format is {manifest.format}")
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a folder that has the name it must have. Raises SnapshotDamaged, OSError."""
    if not stat.S_ISDIR(folder.lstat().st_mode):
        raise SnapshotDamaged("it is no folder")
    path = folder / MANIFEST
    facts = path.lstat()
    if not stat.S_ISREG(facts.st_mode) or facts.st_size > _MAX_MANIFEST_BYTES:
        raise SnapshotDamaged("the manifest is no file of a sane size")
    manifest = decode(path.read_bytes())
    if folder.name != manifest.folder_name:
        raise SnapshotDamaged("the folder and its manifest are of different snapshots")
    return manifest


def _canonical(content: object) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _name(name: str) -> str:
    if not _FILE_NAME.fullmatch(name):
        raise ValueError("a name that no file of a snapshot has")
    return name


def _facts(size: Any, sha256: Any) -> FileFacts:
    if type(size) is not int or size < 0 or not _SHA256.fullmatch(sha256):
        raise ValueError("no facts of a file")
    return FileFacts(size, sha256)


def _check_types(manifest: Manifest) -> None:
    for field in fields(manifest):
        value = getattr(manifest, field.name)
        if field.type is int and (type(value) is not int or value < 0):
            raise SnapshotDamaged(f"{field.name} is no number")
        if field.type is str and not isinstance(value, str):
            raise SnapshotDamaged(f"{field.name} is no text")
