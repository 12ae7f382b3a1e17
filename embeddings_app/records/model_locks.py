"""Locks of a model: its writers share one, and a change of its versions waits for all of them."""

from collections.abc import Iterator
from contextlib import contextmanager

from embeddings_app.records.sql import execute, row


def lock_shared(model_id: str) -> None:
    """Hold off transitions of the model until the transaction ends; must precede `live_specs`."""
    execute("SELECT pg_advisory_xact_lock_shared(hashtextextended(%s, 0))", [f"model:{model_id}"])


def lock_exclusive(model_id: str) -> None:
    """Wait for all writers of the model and hold off new ones until the transaction ends."""
    execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"model:{model_id}"])


@contextmanager
def session_lock(name: str) -> Iterator[bool]:
    """Hold a lock over several transactions, if nobody else does; gives whether. It ends with the connection."""
    (held,) = row("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [name])
    try:
        yield bool(held)
    finally:
        if held:
            execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [name])
