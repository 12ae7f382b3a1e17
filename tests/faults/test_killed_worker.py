"""A worker process of the api that dies in the midst of requests."""

import os
import signal
import time
from pathlib import Path

import httpx

from tests.conftest import Service
from tests.faults.roles import processes
from tests.faults.slow_clients import SlowClients, form_head

_IN_PROGRESS = "api_requests_in_progress "
SLOW = 20
PATIENCE_SECONDS = 60.0


def in_progress(client: httpx.Client) -> float:
    lines = client.get("/metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith(_IN_PROGRESS)).removeprefix(_IN_PROGRESS))


def test_its_requests_in_progress_are_not_counted_any_more(service: Service) -> None:
    api = processes(service)["api"]
    (worker, *_) = Path(f"/proc/{api}/task/{api}/children").read_text().split()
    with httpx.Client(base_url=service.url, timeout=30) as client:
        head = form_head(b"/v1/embed", b"Content-Type: application/json")
        with SlowClients(service.url, head, SLOW, drips=False):
            until = time.monotonic() + PATIENCE_SECONDS
            # Those of the slow clients, and the one that asks.
            while in_progress(client) <= SLOW:
                assert time.monotonic() < until
                time.sleep(0.2)
            os.kill(int(worker), signal.SIGKILL)
    until = time.monotonic() + PATIENCE_SECONDS
    told = 0.0
    while time.monotonic() < until:
        time.sleep(0.5)
        try:
            with httpx.Client(base_url=service.url, timeout=30) as client:
                told = in_progress(client)
        except httpx.TransportError:
            continue
        if told == 1:
            break
    assert told == 1, "the one that asks"
