"""A broker that refuses connections is noticed at once by who sends."""

import time

import pytest
from celery import Celery
from kombu.exceptions import OperationalError

from embedding_project.celery import job_app, query_app
from supervisor.ports import pick_free_port


@pytest.mark.parametrize("app", [query_app, job_app], ids=["query", "jobs"])
def test_a_sender_is_not_held_while_the_broker_refuses_connections(app: Celery) -> None:
    nobody_listens = f"redis://127.0.0.1:{pick_free_port()}/0"
    began = time.monotonic()
    with app.connection_for_write(nobody_listens) as connection, pytest.raises(OperationalError):
        _ = connection.default_channel
    assert time.monotonic() - began < 1.5
