"""Bad requests that start and steer imports."""

from collections.abc import Iterator
from typing import Any

from tests.acceptance.bad_inputs.case import Case, post


def imports() -> Iterator[Case]:
    path, good = "/v1/imports", {"source": "/nowhere/rows.jsonl", "namespace": "bad-input-imports"}
    rows: list[tuple[str, dict[str, Any], int, str, str | None]] = [
        ("no source", {"source": None}, 400, "missing_field", "source"),
        ("source a number", {"source": 1}, 400, "invalid_type", "source"),
        ("source empty", {"source": ""}, 400, "invalid_value", "source"),
        ("source of 1,025 characters", {"source": "/" + "x" * 1_024}, 400, "invalid_value", "source"),
        ("NUL in the source", {"source": "/a\x00"}, 400, "invalid_text", "source"),
        ("a source outside of BULK_SOURCES", {}, 403, "source_not_allowed", None),
        ("a relative source", {"source": "rows.jsonl"}, 403, "source_not_allowed", None),
        ("a source with ..", {"source": "/nowhere/../etc/passwd"}, 403, "source_not_allowed", None),
        ("an object outside of BULK_SOURCES", {"source": "s3://bucket/key"}, 403, "source_not_allowed", None),
        ("a bad namespace", {"namespace": "BAD"}, 400, "invalid_value", "namespace"),
        ("an unknown format", {"format": "csv"}, 400, "invalid_value", "format"),
        ("format a number", {"format": 1}, 400, "invalid_type", "format"),
        ("columns a list", {"columns": []}, 400, "invalid_type", "columns"),
        ("an unknown column", {"columns": {"title": "t"}}, 400, "unknown_field", "columns.title"),
        ("a column a number", {"columns": {"id": 1}}, 400, "invalid_type", "columns.id"),
        ("a column empty", {"columns": {"id": ""}}, 400, "invalid_value", "columns.id"),
        ("on_existing replace", {"on_existing": "replace"}, 400, "invalid_value", "on_existing"),
        ("max_rejects -1", {"max_rejects": -1}, 400, "invalid_value", "max_rejects"),
        ("max_rejects 1.5", {"max_rejects": 1.5}, 400, "invalid_type", "max_rejects"),
        ("dry_run 1", {"dry_run": 1}, 400, "invalid_type", "dry_run"),
        ("an empty key", {"idempotency_key": ""}, 400, "invalid_value", "idempotency_key"),
        ("an unknown field", {"files": []}, 400, "unknown_field", "files"),
    ]
    for name, change, status, code, where in rows:
        yield post(name, path, good | change, status, code, where)
    for step in ("pause", "resume", "abort"):
        yield post(f"{step}: an unknown import", f"{path}/{2**40}/{step}", {}, 404, "unknown_import")
        yield post(f"{step}: an unknown field", f"{path}/1/{step}", {"force": True}, 400, "unknown_field", "force")
        yield post(f"{step}: import x", f"{path}/x/{step}", {}, 400, "invalid_value", "import_id")
    gets: list[tuple[str, str, int, str, str | None]] = [
        ("an unknown import", f"{path}/{2**40}", 404, "unknown_import", None),
        ("import 0", f"{path}/0", 400, "invalid_value", "import_id"),
        ("limit 101 of imports", f"{path}?limit=101", 400, "invalid_value", "limit"),
        ("a misspelt parameter of imports", f"{path}?before=5", 400, "unknown_field", "before"),
    ]
    for name, address, status, code, where in gets:
        yield Case(name=name, path=address, method="GET", headers={}, status=status, code=code, field=where)
