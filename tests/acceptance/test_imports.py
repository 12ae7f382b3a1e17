"""Imports through the API: queued, worked on by the role bulk, steered, and refused outside of BULK_SOURCES."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.conftest import ok
from tests.conftest import IMPORTS_DIR, Service

PATIENCE_SECONDS = 120.0
Json = dict[str, Any]


@pytest.fixture(scope="module")
def folder(service: Service) -> Path:
    IMPORTS_DIR.mkdir(parents=True, exist_ok=True)
    return IMPORTS_DIR


def _write(path: Path, count: int, text: str = "A fox and {} hens.") -> Path:
    rows = [{"id": f"row/{number}", "text": text.format(number)} for number in range(count)]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def _start(api: httpx.Client, source: Path, namespace: str, **more: object) -> Json:
    answer = api.post("/v1/imports", json={"source": str(source), "namespace": namespace, **more})
    assert answer.status_code == 202, answer.text
    found: Json = answer.json()
    return found


def _until(api: httpx.Client, import_id: int, holds: Callable[[Json], bool]) -> Json:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds(found := ok(api.get(f"/v1/imports/{import_id}"))):
        assert time.monotonic() < deadline, found
        time.sleep(0.2)
    return found


def test_an_import_is_worked_on_and_its_rows_add_up(api: httpx.Client, folder: Path) -> None:
    source = _write(folder / "rows.jsonl", 50)
    with source.open("a", encoding="utf-8") as file:
        file.write('{"id": "bad"}\n')
    started = _start(api, source, "imported", idempotency_key="imported-1")
    assert _start(api, source, "imported", idempotency_key="imported-1")["id"] == started["id"]
    done = _until(api, started["id"], lambda found: found["state"] in ("done", "failed"))
    assert (done["state"], done["error"]) == ("done", None)
    rows = done["rows"]
    assert (rows["read"], rows["inserted"], rows["rejected"]) == (51, 50, 1)
    assert sum(count for name, count in rows.items() if name != "read") == rows["read"]
    assert done["files"] == [{"path": str(source), "bytes": source.stat().st_size, "rows": 51, "rejected": 1}]
    assert done["plan"]["rows"] == 51
    assert done["rejects_sample"] == [
        {"file": str(source), "row": 51, "doc_id": "bad", "field": "text", "code": "missing_field"}
    ]
    assert ok(api.get("/v1/vectors/row/7", params={"namespace": "imported"}))["state"] == "indexed"
    assert started["id"] in [found["id"] for found in ok(api.get("/v1/imports"))["imports"]]


def test_a_key_belongs_to_one_import(api: httpx.Client, folder: Path) -> None:
    source, other = (_write(folder / f"{name}.jsonl", 3) for name in ("keyed", "keyed-other"))
    started = _start(api, source, "keyed", idempotency_key="keyed-1")
    _until(api, started["id"], lambda found: found["state"] == "done")
    again = _start(api, source, "keyed", idempotency_key="keyed-1", format="auto")
    assert (again["id"], again["state"]) == (started["id"], "done")
    for change in ({"source": str(other)}, {"namespace": "keyed-other"}, {"on_existing": "skip"}, {"dry_run": True}):
        body = {"source": str(source), "namespace": "keyed", "idempotency_key": "keyed-1"} | change
        answer = api.post("/v1/imports", json=body)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["field"]) == (
            409,
            "idempotency_key_reused",
            "idempotency_key",
        )


def test_a_dry_run_says_what_it_would_take_and_loads_nothing(api: httpx.Client, folder: Path) -> None:
    started = _start(api, _write(folder / "dry.jsonl", 30), "dry-run", dry_run=True)
    done = _until(api, started["id"], lambda found: found["state"] in ("done", "failed"))
    assert (done["state"], done["error"], done["rows"]["read"]) == ("done", None, 0)
    assert done["plan"]["rows"] == 30
    assert done["plan"]["seconds"] > 0
    assert (done["namespace"], api.get("/v1/namespaces/dry-run").status_code) == ("dry-run", 404)


def test_an_import_is_paused_resumed_and_aborted(api: httpx.Client, folder: Path) -> None:
    source = _write(folder / "long.jsonl", 20_000, "{} " + "words of a long text " * 40)
    import_id = _start(api, source, "paused")["id"]
    _until(api, import_id, lambda found: found["state"] == "loading")
    assert ok(api.post(f"/v1/imports/{import_id}/pause"))["wanted"] == "pause"
    assert ok(api.post(f"/v1/imports/{import_id}/resume"))["wanted"] == "run"
    assert ok(api.post(f"/v1/imports/{import_id}/abort"))["wanted"] == "abort"
    for step in ("pause", "resume"):
        assert api.post(f"/v1/imports/{import_id}/{step}").json()["error"]["code"] == "illegal_step"
    ended = _until(api, import_id, lambda found: found["state"] == "aborted")
    assert ended["ended_at"] is not None
    assert ok(api.get("/v1/namespaces/paused"))["count"] == 0
    assert api.post(f"/v1/imports/{import_id}/resume").json()["error"]["code"] == "illegal_step"


def test_a_file_that_is_not_there_fails_the_import_with_its_reason(api: httpx.Client, folder: Path) -> None:
    import_id = _start(api, folder / "none.jsonl", "no-file")["id"]
    failed = _until(api, import_id, lambda found: found["state"] == "failed")
    assert "no such file" in failed["error"]
    assert (failed["namespace"], failed["progress"]) == ("no-file", 0.0)
    assert api.get("/v1/namespaces/no-file").status_code == 404
    ok(api.post(f"/v1/imports/{import_id}/abort"))
    _until(api, import_id, lambda found: found["state"] == "aborted")


def test_a_link_that_leads_out_of_the_folder_is_refused(api: httpx.Client, folder: Path, tmp_path: Path) -> None:
    (folder / "link").symlink_to(_write(tmp_path / "secret.jsonl", 3).parent)
    import_id = _start(api, folder / "link" / "secret.jsonl", "linked")["id"]
    failed = _until(api, import_id, lambda found: found["state"] == "failed")
    assert "lead out of BULK_SOURCES" in failed["error"]
    ok(api.post(f"/v1/imports/{import_id}/abort"))
    _until(api, import_id, lambda found: found["state"] == "aborted")
