"""Paths that come from outside may lead to what is no file."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from embedding_project.config import ConfigError, read_config
from embedding_project.regular_files import open_regular, read_regular
from workers.encoders.base import ModelError
from workers.encoders.secrets import read_secret


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


MAKERS: list[Callable[[Path], object]] = [
    os.mkfifo,
    os.mkdir,
    a_socket,
    lambda path: path.symlink_to("/dev/zero"),
    lambda path: path.symlink_to(path),
    lambda path: None,
]


@pytest.fixture(params=MAKERS)
def no_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    request.param(path)
    return path


def test_only_a_regular_file_is_opened(no_file: Path) -> None:
    with pytest.raises(OSError, match=no_file.name):
        open_regular(no_file)


def test_a_file_is_read_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_regular(path, 5) == b"12345"
    with pytest.raises(OSError, match="larger than 4 bytes"):
        read_regular(path, 4)


def test_the_secret_of_an_endpoint_is_a_regular_file(no_file: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        read_secret(str(no_file.parent), no_file.name)


def test_a_secret_of_the_configuration_is_a_regular_file(no_file: Path) -> None:
    with pytest.raises(ConfigError, match="SECRET_KEY_FILE: cannot read"):
        read_config({"SECRET_KEY_FILE": str(no_file)})
