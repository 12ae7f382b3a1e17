"""Ctrl-C for commands that have an instance to end: it interrupts them once, and not while they start a process."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


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
