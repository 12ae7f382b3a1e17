"""Locks of a model: its writers share one, and a change of its versions waits for all of them."""

from embeddings_app.records.sql import execute


def lock_shared(model_id: str) -> None:
    """Hold off transitions of the model until the transaction ends; must precede `live_specs`."""
    execute("SELECT pg_advisory_xact_lock_shared(hashtextextended(%s, 0))", [f"model:{model_id}"])


def lock_exclusive(model_id: str) -> None:
    """Wait for all writers of the model and hold off new ones until the transaction ends."""
    execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"model:{model_id}"])
