"""The rejects of a file: one JSON line each, with file, row, id, field and code. Never a text."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from bulk_ingest.durable import replaced
from bulk_ingest.rows import Reject

_FOLDER = "rejects"


def write_rejects(folder: Path, file_number: int, source: Path, rejects: Iterable[Reject]) -> int:
    """Replace the rejects of a file; how many there are. Raises OSError."""
    count = 0
    with replaced(_path(folder, file_number)) as file:
        for reject in rejects:
            line = {
                "file": str(source),
                "row": reject.row,
                "doc_id": reject.doc_id,
                "field": reject.field,
                "code": reject.code,
            }
            file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
            count += 1
    return count


def read_rejects(folder: Path) -> Iterator[str]:
    """The lines of all files, in their order."""
    for path in sorted((folder / _FOLDER).glob("*.jsonl")):
        with path.open(encoding="utf-8") as file:
            yield from file


def _path(folder: Path, file_number: int) -> Path:
    return folder / _FOLDER / f"{file_number:06d}.jsonl"
