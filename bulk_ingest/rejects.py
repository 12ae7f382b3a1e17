"""The rejects of a file or a bucket: one JSON line each, with file, row, id, field and code. Never a text."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from bulk_ingest.durable import replaced
from bulk_ingest.rows import Reject

_FOLDER = "rejects"


def of_file(number: int) -> str:
    """The name under which the rejects of an input file are kept."""
    return f"{number:06d}"


def of_bucket(number: int) -> str:
    return f"bucket-{number:06d}"


def write_rejects(folder: Path, name: str, rejects: Iterable[tuple[str, Reject]]) -> int:
    """Replace the rejects of this name, each with its input file; how many there are. Raises OSError."""
    path, found = folder / _FOLDER / f"{name}.jsonl", list(rejects)
    if not found:
        path.unlink(missing_ok=True)
        return 0
    with replaced(path) as file:
        for source, reject in found:
            line = {
                "file": source,
                "row": reject.row,
                "doc_id": reject.doc_id,
                "field": reject.field,
                "code": reject.code,
            }
            file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
    return len(found)


def rows_of(folder: Path, name: str) -> frozenset[int]:
    """The numbers of the rows that were rejected under this name. Raises OSError."""
    path = folder / _FOLDER / f"{name}.jsonl"
    if not path.exists():
        return frozenset()
    return frozenset(json.loads(line)["row"] for line in path.read_bytes().splitlines())


def read_rejects(folder: Path) -> Iterator[str]:
    """The lines of all files, in their order, then those of all buckets."""
    for path in sorted((folder / _FOLDER).glob("*.jsonl")):
        with path.open(encoding="utf-8") as file:
            yield from file
