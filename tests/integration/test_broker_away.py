"""A broker that refuses connections is noticed at once by who sends."""

import time

import pytest
from celery import Celery
from kombu.exceptions import OperationalError

from embedding_project.celery import job_app, query_app
from supervisor.ports import pick_free_port

PATIENCE_SECONDS = 60.0


@pytest.mark.parametrize("app", [query_app, job_app], ids=["query", "jobs"])
def test_a_sender_is_not_held_while_the_broker_refuses_connections(app: Celery) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    # On a busy machine one attempt or another takes longer, but not each of many.
    while (took := refused_after(app)) > 1.5:
        assert time.monotonic() < give_up, took


def refused_after(app: Celery) -> float:
    """Seconds."""
    nobody_listens = f"redis://127.0.0.1:{pick_free_port()}/0"
    began = time.monotonic()
    with app.connection_for_write(nobody_listens) as connection, pytest.raises(OperationalError):
        _ = connection.default_channel
    return time.monotonic() - began
