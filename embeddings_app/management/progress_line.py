"""How far a command is: a line that renews itself on a terminal, and in a log a line now and then."""

import time

from django.core.management.base import OutputWrapper

_BAR_WIDTH = 28
_LOG_EVERY_SECONDS = 10.0


def bar(done: float, total: float) -> str:
    """The done part of the whole, drawn."""
    filled = int(_BAR_WIDTH * min(done / total, 1.0)) if total else 0
    return f"[{'#' * filled}{'.' * (_BAR_WIDTH - filled)}]"


class ProgressLine:
    """Only its owner writes to the stream between `show` and `end`."""

    def __init__(self, stream: OutputWrapper, log_every_seconds: float = _LOG_EVERY_SECONDS) -> None:
        self._stream = stream
        self._log_every_seconds = log_every_seconds
        self._is_open = False
        self._shown_at = time.monotonic()

    def show(self, text: str) -> None:
        if self._stream.isatty():
            self._write(f"\r{text}\033[K")
            self._is_open = True
        elif time.monotonic() - self._shown_at >= self._log_every_seconds:
            self._write(f"{text}\n")
            self._shown_at = time.monotonic()

    def end(self, text: str = "") -> None:
        """Leave what is shown, or `text` in its place, and begin a line for what comes next."""
        if self._stream.isatty() and text:
            self._write(f"\r{text}\033[K\n")
        elif text or self._is_open:
            self._write(f"{text}\n")
        self._is_open = False

    def _write(self, text: str) -> None:
        self._stream.write(text, ending="")
        self._stream.flush()
