"""`manage.py warm_cache` against a running instance."""

import os
import subprocess
import sys
from pathlib import Path

import httpx

from tests.conftest import ROOT, Service, outside_environment


def _warm(service: Service, content: bytes, *options: str, file: str = "-") -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [sys.executable, "manage.py", "warm_cache", *options, file],
        cwd=ROOT,
        env={**os.environ, **outside_environment(service.var)},
        input=content,
        capture_output=True,
        timeout=120,
    )


def test_warmed_texts_are_found_in_the_cache(service: Service) -> None:
    done = _warm(service, b'warmed as a line\n{"text": "warmed as an object"}\n')
    assert (done.returncode, b"2 texts embedded" in done.stdout) == (0, True), done.stderr
    inputs = ["warmed as a line", "warmed as an object"]
    answer = httpx.post(f"{service.url}/v1/embed", json={"inputs": inputs}, timeout=60)
    assert [item["cached"] for item in answer.json()["items"]] == [True, True]


def test_a_bad_line_is_refused_by_number_and_the_rest_is_warmed(service: Service) -> None:
    done = _warm(service, b'good warmed text\n{"text": 1}\n')
    assert done.returncode == 1
    assert b"line 2: " in done.stderr
    assert b"1 texts embedded, 0 were in the cache, 1 lines failed" in done.stdout


def test_an_unknown_model_is_refused(service: Service) -> None:
    done = _warm(service, b"text\n", "--model-id", "no-such-model")
    assert (done.returncode, b"no-such-model" in done.stderr) == (1, True)


def test_a_fifo_is_refused_and_not_waited_for(service: Service, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "texts")
    done = _warm(service, b"", file=str(tmp_path / "texts"))
    assert (done.returncode, b"not a regular file" in done.stderr) == (1, True)
