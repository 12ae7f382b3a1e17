"""Where the tests of backups put them, and an empty database for each test."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def emptied(database: str) -> None:
    """Every test begins with empty tables."""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "backup"
