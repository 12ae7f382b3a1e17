"""An instance that comes back after its roles were killed."""

import time

import httpx
import pytest

from tests.conftest import Service

RECOVERY_SECONDS = 60.0


def wait_until_ready(service: Service) -> None:
    until = time.monotonic() + RECOVERY_SECONDS
    answer = "no answer"
    while time.monotonic() < until:
        try:
            response = httpx.get(f"{service.url}/readyz", timeout=5)
            answer = response.text
            if response.status_code == 200:
                return
        except httpx.HTTPError as error:
            answer = repr(error)
        time.sleep(0.2)
    pytest.fail(f"not ready again within {RECOVERY_SECONDS} s: {answer}")
