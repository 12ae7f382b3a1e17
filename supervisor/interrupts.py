"""Signals for commands that have processes to end: each waits for a moment at which the command can end them."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


def stop_signal() -> threading.Event:
    """An event that the signals to end set from now on, but for those that the parent of this process switched off."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup and shells do so for jobs in the background
            signal.signal(number, lambda *_: stop.set())
    return stop


@contextmanager
def one_interrupt() -> Iterator[None]:
    """The first Ctrl-C raises KeyboardInterrupt here; later ones are ignored, so that the clean-up comes to its end."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        yield
        return

    def interrupt(*_: object) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def interrupts_wait() -> Iterator[None]:
    """A Ctrl-C in this block takes effect at its end. Only the main thread hears of it; others need no delay."""
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    heard = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: heard.set())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if heard.is_set():
        handler(signal.SIGINT, None)
