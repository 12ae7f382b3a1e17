"""What a supervisor does while its instance runs, beside keeping processes alive."""

import io
import threading
from pathlib import Path

import pytest

from supervisor.errors import Stopped
from supervisor.logs import Console
from supervisor.supervisor import Supervisor


def test_nodes_of_the_layout_that_answers_stay_while_postgres_is_away(tmp_path: Path) -> None:
    said, stop = io.StringIO(), threading.Event()
    environ = {"VAR_DIR": str(tmp_path), "SHARDS": "1", "DATABASE_URL": "postgresql://127.0.0.1:1/none"}
    supervisor = Supervisor(environ, Console(said), stop)
    # The start has found that the documents are spread over more shards than SHARDS says.
    supervisor._node_shards = 2
    timer = threading.Timer(1.0, stop.set)
    timer.start()
    with pytest.raises(Stopped):
        supervisor._watch()
    timer.join()
    assert said.getvalue() == ""
