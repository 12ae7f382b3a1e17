"""`manage.py warm_cache` against a running instance."""

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import ROOT, Service, outside_environment
from tests.loaded_commands import Run, loaded_commands

PATIENCE_SECONDS = 60.0


@pytest.fixture(scope="module")
def run(service: Service) -> Iterator[Run]:
    with loaded_commands({**os.environ, **outside_environment(service.var)}, knows_instance=True) as run:
        yield run


def test_warmed_texts_are_found_in_the_cache(service: Service) -> None:
    """Nobody waits long for the cache, so on a busy machine one text or another may not get there. What was asked for
    is in it from then on, so each attempt has texts of its own."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    for attempt in itertools.count():
        line, member = f"warmed as a line {attempt}", f"warmed as an object {attempt}"
        done = subprocess.run(
            [sys.executable, "manage.py", "warm_cache", "-"],
            cwd=ROOT,
            env={**os.environ, **outside_environment(service.var)},
            input=f'{line}\n{{"text": "{member}"}}\n'.encode(),
            capture_output=True,
            timeout=120,
        )
        assert (done.returncode, b"2 texts embedded" in done.stdout) == (0, True), done.stderr
        answer = httpx.post(f"{service.url}/v1/embed", json={"inputs": [line, member]}, timeout=60)
        cached = [item["cached"] for item in answer.json()["items"]]
        if cached == [True, True]:
            return
        assert time.monotonic() < give_up, cached


def test_a_bad_line_is_refused_by_number_and_the_rest_is_warmed(run: Run, tmp_path: Path) -> None:
    (tmp_path / "texts").write_text('good warmed text\n{"text": 1}\n')
    done = run("warm_cache", str(tmp_path / "texts"))
    assert done.returncode == 1
    assert "line 2: " in done.stderr
    assert "1 text embedded, 0 found in the cache, 1 line failed" in done.stdout


def test_an_unknown_model_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "texts").write_text("text\n")
    done = run("warm_cache", "--model-id", "no-such-model", str(tmp_path / "texts"))
    assert (done.returncode, "no-such-model" in done.stderr) == (1, True)


def test_a_fifo_is_refused_and_not_waited_for(run: Run, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "texts")
    done = run("warm_cache", str(tmp_path / "texts"))
    assert (done.returncode, "not a regular file" in done.stderr) == (1, True)
