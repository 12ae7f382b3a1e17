"""Signals for commands that have processes to end: each waits for a moment at which the command can end them."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What a person, a shell, a closed terminal and a system that shuts down send."""


def stop_signal() -> threading.Event:
    """An event that the signals to end set from now on, but for those that the parent of this process switched off."""
    stop = threading.Event()
    for number in _heard():
        signal.signal(number, lambda *_: stop.set())
    return stop


@contextmanager
def one_interrupt() -> Iterator[None]:
    """The first signal to end raises KeyboardInterrupt here; later ones are ignored: the clean-up comes to its end."""
    heard = _heard()

    def interrupt(*_: object) -> None:
        for number in heard:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def interrupts_wait() -> Iterator[None]:
    """A signal to end takes effect at the end of this block. Only the main thread hears of it; others need no delay."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []
    handlers = {number: handler for number in _heard() if callable(handler := signal.getsignal(number))}
    for number in handlers:
        signal.signal(number, lambda number, _: arrived.append(number))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    for first in arrived[:1]:
        handlers[signal.Signals(first)](first, None)


def _heard() -> list[signal.Signals]:
    """Without those that the parent switched off: nohup and shells do so for jobs in the background."""
    return [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
