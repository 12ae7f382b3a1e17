"""The autoscaler beside a running instance, with real embedders under load.

They wait for a slow endpoint: so text waits for them, and the cores are free for the embedder that joins.
"""

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.acceptance.conftest import ENDPOINT_DIMENSION
from tests.conftest import ROOT, Service, outside_environment
from tests.unit.workers.fake_endpoint import Answer, FakeEndpoint, Request

_MODEL = "autoscaled"
_ANSWER_SECONDS = 0.2
"""Of the endpoint."""
_CLIENTS = 8
_INPUTS = 16
_WAIT_SECONDS = 120.0
_OPTIONS = ("--min", "0", "--max", "1", "--up", "0.02", "--up-after", "1", "--down", "0.01", "--down-after", "3")
_numbers = itertools.count()


@pytest.fixture(scope="module")
def service(small: Service, endpoint: FakeEndpoint) -> Iterator[Service]:
    """It has a model behind a slow endpoint."""
    sound = endpoint.behave

    def slowly(request: Request) -> Answer:
        time.sleep(_ANSWER_SECONDS)
        return sound(request)

    options = ("--type", "openai", "--endpoint", endpoint.url, "--dimension", str(ENDPOINT_DIMENSION))
    small.manage("register_model", "--model-id", _MODEL, *options, "--secret-name", "acme", "--activate")
    endpoint.behave = slowly
    yield small
    endpoint.behave = sound


@contextmanager
def autoscaler(service: Service) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        (sys.executable, "manage.py", "autoscale", "--var", str(service.var), *_OPTIONS, "--pause", "2"),
        cwd=ROOT,
        env={**os.environ, **outside_environment(service.var)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


@contextmanager
def load(service: Service) -> Iterator[list[int]]:
    """Clients that always send new texts, and wait when they are told to; the value is what they were answered."""
    statuses: list[int] = []
    over = threading.Event()

    def client() -> None:
        with httpx.Client(base_url=service.url, timeout=60.0) as http:
            while not over.is_set():
                texts = [f"text number {next(_numbers)} of the autoscaled load" for _ in range(_INPUTS)]
                answer = http.post("/v1/embed", json={"model_id": _MODEL, "inputs": texts})
                statuses.append(answer.status_code)
                over.wait(int(answer.headers.get("Retry-After", "0")))

    threads = [threading.Thread(target=client) for _ in range(_CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield statuses
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _embedders(service: Service) -> str:
    return str(httpx.get(f"{service.url}/readyz", timeout=10).json()["checks"]["embedders"]["detail"])


def _until(holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + _WAIT_SECONDS
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.2)


def test_an_embedder_joins_under_load_and_leaves_when_it_is_quiet_and_no_request_fails(service: Service) -> None:
    with autoscaler(service) as process:
        with load(service) as statuses:
            _until(lambda: _embedders(service) == "2 answer (1 expected)")
            answered = len(statuses)
            _until(lambda: len(statuses) > answered + 2 * _CLIENTS)
        _until(lambda: _embedders(service) == "1 answer (1 expected)")
        assert process.poll() is None
    assert set(statuses) <= {200, 429}
    assert 200 in statuses
    assert process.returncode == 0
    assert (service.var / "logs" / "embedder-1.log").exists()


def test_it_ends_all_its_embedders_when_it_is_stopped(service: Service) -> None:
    with autoscaler(service) as process, load(service) as statuses:
        _until(lambda: _embedders(service) == "2 answer (1 expected)")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        _until(lambda: _embedders(service) == "1 answer (1 expected)")
    assert set(statuses) <= {200, 429}
