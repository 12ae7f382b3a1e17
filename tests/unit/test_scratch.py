"""A run that was killed leaves its folders, and the next one removes them."""

import os
import subprocess
from pathlib import Path

from tests.scratch import make_folder, remove_abandoned


def test_folders_of_processes_that_are_gone_are_removed(tmp_path: Path) -> None:
    ended = subprocess.Popen(("true",))
    ended.wait()
    abandoned, used = make_folder(ended.pid, tmp_path), make_folder(os.getpid(), tmp_path)
    foreign = tmp_path / "embeddings-tests-abcd"
    foreign.mkdir()
    (abandoned / "data").write_text("left")
    remove_abandoned(tmp_path)
    assert not abandoned.exists()
    assert used.exists()
    assert foreign.exists()
