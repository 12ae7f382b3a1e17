"""Which Postgres and which Redis an instance uses."""

from pathlib import Path

import pytest

from supervisor.binaries import Binary, choose, choose_postgres, parse_version, platform_folder
from supervisor.errors import StartError


def binary(*version: int, source: str = "on PATH") -> Binary:
    return Binary(path=Path(f"/{source}/{version}"), version=version, source=source)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", (15, 18)),
        ("postgres (PostgreSQL) 19beta1", (19,)),
        ("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64", (7, 0, 15)),
        ("Valkey server v=9.1.2 sha=00000000:1 malloc=libc bits=64", (9, 1, 2)),
        ("bash: postgres: command not found", None),
        ("", None),
    ],
)
def test_versions_are_read_from_what_the_programs_say(text: str, version: tuple[int, ...] | None) -> None:
    assert parse_version(text) == version


def test_the_first_that_is_new_enough_is_chosen() -> None:
    old, new, newest = binary(14, 2), binary(15, 1), binary(18, 6, source="wheel")
    assert choose([old, new, newest], minimum=15) == new
    assert choose([old], minimum=15) is None


def test_existing_data_decides_the_major_version() -> None:
    machine, wheel = binary(15, 1), binary(18, 6, source="wheel")
    assert choose([machine, wheel], minimum=15, wanted_major=18) == wheel
    assert choose([machine], minimum=15, wanted_major=18) is None


def test_a_missing_version_is_refused_with_what_was_found_and_a_way_out() -> None:
    with pytest.raises(StartError, match=r"Postgres 99, which made the data, is needed, found: .*DATABASE_URL"):
        choose_postgres(wanted_major=99)


@pytest.mark.parametrize(
    ("system", "machine", "folder"),
    [
        ("Linux", "x86_64", "linux-x86_64"),
        ("Linux", "aarch64", "linux-aarch64"),
        ("Darwin", "arm64", "darwin-arm64"),
        ("Darwin", "x86_64", "darwin-x86_64"),
    ],
)
def test_the_wheel_has_one_folder_per_platform(system: str, machine: str, folder: str) -> None:
    assert platform_folder(system, machine) == folder
