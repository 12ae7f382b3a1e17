"""Starts that are refused before any server is started."""

import io
import socket
import threading
from pathlib import Path

import pytest

from supervisor.errors import StartError
from supervisor.logs import Console
from supervisor.ports import pick_free_port
from supervisor.supervisor import Supervisor


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"HOST": "0.0.0.0"}, "set API_KEY before listening beyond loopback"),
        ({"HOST": "192.0.2.1"}, "no address of this machine"),
        ({"REDIS_URL": "redis://127.0.0.1:1/0", "CACHE_URL": "redis://127.0.0.1:1/0"}, "CACHE_URL is the server of"),
    ],
)
def test_a_start_that_cannot_succeed_begins_nothing(tmp_path: Path, changed: dict[str, str], words: str) -> None:
    said = io.StringIO()
    environ = {"VAR_DIR": str(tmp_path), "PORT": str(pick_free_port()), **changed}
    with pytest.raises(StartError, match=words):
        Supervisor(environ, Console(said), threading.Event()).run()
    assert not (tmp_path / "postgres").exists()
    assert "postgres:" not in said.getvalue()


def test_a_port_that_is_taken_is_said_before_anything_starts(tmp_path: Path) -> None:
    said = io.StringIO()
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        environ = {"VAR_DIR": str(tmp_path), "PORT": str(stranger.getsockname()[1])}
        with pytest.raises(StartError, match="is taken; choose another one"):
            Supervisor(environ, Console(said), threading.Event()).run()
    assert not (tmp_path / "postgres").exists()
    assert "postgres:" not in said.getvalue()
