"""Threads that go on after every error."""

import logging
import threading

import pytest

from embedding_project.threads.background import repeat_forever
from tests.unit.threads.faults import Panic


@pytest.mark.parametrize("fault", [LookupError, Panic])
def test_an_unforeseen_fault_does_not_end_the_thread_and_its_message_stays_out_of_the_log(
    caplog: pytest.LogCaptureFixture, fault: type[BaseException]
) -> None:
    called_again = threading.Event()
    faults = [fault("what a user sent".upper())]

    def step() -> None:
        if faults:
            raise faults.pop()
        called_again.set()
        threading.Event().wait(30)

    with caplog.at_level(logging.ERROR):
        repeat_forever("test", step)
        assert called_again.wait(30)
    assert fault.__name__ in caplog.text
    assert "WHAT A USER SENT" not in caplog.text
