"""The corpus of the demo as a file: rows that a bulk job loads as they are."""

import json
from pathlib import Path

from bulk_ingest.rows import RowChecker
from bulk_ingest.sources.files import list_files, read
from bulk_ingest.sources.raw import Columns
from tests.integration.bulk_commands import ended, started_commands


def test_the_docstrings_are_written_as_rows_of_a_bulk_job(tmp_path: Path) -> None:
    path = tmp_path / "demo" / "docstrings.jsonl"
    with started_commands() as start:
        code, _, err = ended(start("--limit", 20, "--to", path, program=("manage.py", "load_stdlib_docs")))
    assert code == 0, err
    assert len([json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]) == 20
    (file,) = list_files([str(path)], "auto")
    checker = RowChecker("stdlib", 0, lambda wanted: [True] * len(wanted))
    (checked,) = [checker.check(batch) for batch in read(file, Columns(vector=None))]
    rows, rejects = checked
    assert (len(rows), rejects) == (20, [])
    assert set(rows[0].metadata) == {"module", "kind", "length"}
