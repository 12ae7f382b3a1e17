"""So few processes hold a connection to Postgres at a time, on however many machines they run."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from embedding_project.contracts.errors import Unavailable
from embeddings_app.database.pulse import pulse
from embeddings_app.records.model_locks import session_lock

_LEAST_PAUSE_SECONDS, _MOST_PAUSE_SECONDS = 0.02, 0.3


@contextmanager
def connection_slot(name: str, slots: int, patience_seconds: float) -> Iterator[None]:
    """Use the database while fewer than `slots` others of this name do; afterwards this process has no connection.

    Raises Unavailable (busy) when none becomes free in time.
    """
    until = time.monotonic() + patience_seconds
    try:
        while True:
            for number in random.sample(range(slots), slots):
                with session_lock(f"{name}:slot:{number}") as held:
                    if held:
                        yield
                        return
            if time.monotonic() > until:
                raise Unavailable("busy")
            _let_go()
            time.sleep(random.uniform(_LEAST_PAUSE_SECONDS, _MOST_PAUSE_SECONDS))
    finally:
        _let_go()


def _let_go() -> None:
    connection.close()
    pulse.rest()
