"""Runs `embsearch migrate` against a running service (SERVICE_URL), here or in a process that is killed."""

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embsearch import Client
from embsearch.cli.console import Console
from embsearch.cli.program import main

URL = os.environ["SERVICE_URL"]


@dataclass(frozen=True)
class Moved:
    code: int
    report: dict[str, Any]
    said: str


def migrate(*words: str) -> Moved:
    out, err = io.StringIO(), io.StringIO()
    code = main(["migrate", *words, "--url", URL, "--json"], Console(out=out, err=err, stdin=io.StringIO()))
    return Moved(code, json.loads(out.getvalue() or "{}"), err.getvalue())


def killed(words: Sequence[str], checkpoint: Path) -> None:
    """The command, in a process that dies when a part of its requests is answered."""
    command = [sys.executable, "-m", "embsearch", "migrate", *words, "--url", URL, "--checkpoint", str(checkpoint)]
    with subprocess.Popen([*command, "--parallel", "1", "--batch", "4"], stderr=subprocess.PIPE) as running:
        give_up = time.monotonic() + 180
        while not checkpoint.exists() or checkpoint.read_bytes().count(b"\n") < 3:
            assert running.poll() is None, running.stderr.read() if running.stderr else b""
            assert time.monotonic() < give_up
            time.sleep(0.002)
        running.kill()


def documents(namespace: str) -> dict[str, tuple[str | None, Any]]:
    with Client(URL) as client:
        return {one.id: (one.text, one.metadata) for one in client.namespace(namespace).scan()}


def vectors(namespace: str) -> dict[str, list[float] | None]:
    with Client(URL) as client:
        return {one.id: one.vector for one in client.namespace(namespace).scan(include=["vector"])}
