"""The console of an instance and the log file of each of its processes."""

import threading
from pathlib import Path
from typing import BinaryIO, Self, TextIO

LOG_BYTES = 20 * 2**20
"""A log file that is longer becomes `.1`, in place of the one before: each process keeps at most two."""


class Console:
    """Where the supervisor speaks. A terminal that has gone away silences it and never hurts the instance."""

    def __init__(self, stream: TextIO | None, *, report: TextIO | None = None, relays: bool = True) -> None:
        """`report` also gets the supervisor's own lines; `relays` says whether output of roles is repeated here."""
        self._stream = stream
        self._report = report
        self._relays = relays
        self._lock = threading.Lock()

    def say(self, text: str) -> None:
        """One message of the supervisor."""
        with self._lock:
            self._stream = _write(self._stream, text)
            self._report = _write(self._report, text)

    def confide(self, text: str) -> None:
        """A message that holds a secret: shown to the person who started the instance, kept out of log files."""
        with self._lock:
            if self._report is not None:
                self._report = _write(self._report, text)
            else:
                self._stream = _write(self._stream, text)

    def hint(self, text: str) -> None:
        """A message for a person at this terminal: not for a process that waits, which has its own words."""
        if self._report is None:
            self.say(text)

    def relay(self, name: str, line: str) -> None:
        """One line that the process `name` wrote."""
        if self._relays:
            with self._lock:
                self._stream = _write(self._stream, f"{name} | {line}")

    def end_report(self) -> None:
        """Tell the process that waits for this instance that there is nothing more to wait for."""
        with self._lock:
            if self._report is not None:
                self._report.close()
                self._report = None


def _write(stream: TextIO | None, text: str) -> TextIO | None:
    if stream is None:
        return None
    try:
        stream.write(f"{text}\n")
        stream.flush()
    except (OSError, ValueError):
        return None
    return stream


def rotate(path: Path) -> None:
    """Keep the log of the previous start as `.1`."""
    if path.exists():
        path.replace(path.with_name(f"{path.name}.1"))


def tail(path: Path, lines: int = 15) -> str:
    """The last lines of a log file; empty when there is none."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def pump(source: BinaryIO, path: Path, console: Console, name: str, longest_bytes: int = LOG_BYTES) -> None:
    """Copy a process's output to its log file and the console until it closes. Runs in a thread of its own."""
    with source, _LogFile(path, longest_bytes) as log:
        for line in source:
            try:
                log.write(line)
            except OSError as error:
                # A full disk must not leave the pipe unread: the process would block on its next line.
                console.say(f"{name}: cannot write {path}: {error.strerror}")
            console.relay(name, line.decode(errors="replace").rstrip())


class _LogFile:
    """A log file that starts again when it has become too long. Its only caller is one thread."""

    def __init__(self, path: Path, longest_bytes: int) -> None:
        self._path = path
        self._longest_bytes = longest_bytes

    def __enter__(self) -> Self:
        self._file = self._path.open("ab", buffering=0)
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, line: bytes) -> None:
        if self._file.tell() + len(line) > self._longest_bytes:
            self._file.close()
            rotate(self._path)
            self._file = self._path.open("ab", buffering=0)
        self._file.write(line)
