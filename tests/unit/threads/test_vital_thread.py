"""The thread a worker cannot do without."""

import logging
import os
import threading
from collections.abc import Iterator
from functools import partial
from types import ModuleType

import pytest
from celery.worker import state

from embedding_project.threads.vital_thread import VitalThread
from tests.unit.threads.faults import Panic


def wait_for(event: threading.Event) -> None:
    event.wait(30)


def test_a_stop_ends_the_thread() -> None:
    stopping = threading.Event()
    thread = VitalThread("test", partial(wait_for, stopping), stopping.set, 5.0)
    thread.start()
    thread.stop()
    assert not thread.is_alive()


def test_one_that_hangs_is_not_waited_for_and_it_is_said(caplog: pytest.LogCaptureFixture) -> None:
    release = threading.Event()
    thread = VitalThread("test", partial(wait_for, release), lambda: None, 0.05)
    thread.start()
    with caplog.at_level(logging.ERROR):
        thread.stop()
    assert "did not end" in caplog.text
    release.set()


@pytest.fixture
def worker_state() -> Iterator[ModuleType]:
    """By which a thread ends its worker; as if nothing had happened, before and after."""
    yield state
    state.should_stop = None


@pytest.mark.parametrize("fault", [LookupError, Panic, SystemExit])
def test_an_unforeseen_fault_ends_the_worker_and_keeps_its_message_out_of_the_log(
    worker_state: ModuleType, caplog: pytest.LogCaptureFixture, fault: type[BaseException]
) -> None:
    def fail() -> None:
        raise fault("what a user sent".upper())

    thread = VitalThread("test", fail, lambda: None, 5.0)
    with caplog.at_level(logging.CRITICAL):
        thread.start()
        thread.join(30)
    assert worker_state.should_stop == os.EX_SOFTWARE
    assert fault.__name__ in caplog.text
    assert "WHAT A USER SENT" not in caplog.text
