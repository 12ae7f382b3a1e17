"""A client of the running service, and small helpers for what every test here does."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.conftest import Service


@pytest.fixture(scope="session")
def api(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=30.0) as client:
        yield client


def ok(response: httpx.Response) -> dict[str, Any]:
    """The body of a good answer; shows the error of a bad one."""
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body
