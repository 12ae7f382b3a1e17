"""A peer's HTTP server as a child process: started, waited for, stopped."""

import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import httpx

from benchmarks.errors import BenchmarkError

_STOP_SECONDS = 10.0


@contextmanager
def peer_server(
    command: Sequence[str], health_url: str, start_seconds: float, environ: Mapping[str, str] | None = None
) -> Iterator[None]:
    """The server of `command` while the block runs. Raises BenchmarkError when it does not get up."""
    process = subprocess.Popen(
        command, env={**os.environ, **(environ or {})}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_until_up(process, command[0], health_url, start_seconds)
        yield
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_up(process: subprocess.Popen[bytes], name: str, health_url: str, start_seconds: float) -> None:
    deadline = time.monotonic() + start_seconds
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(health_url).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise BenchmarkError(f"{name} did not start")
