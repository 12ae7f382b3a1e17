"""An instance of the faults' own: its roles are killed and frozen, which no other test would stand."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Service, instance


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    with instance() as running:
        url, var = running.split("\n")
        yield Service(url, Path(var))
