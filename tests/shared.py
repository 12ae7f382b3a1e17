"""What one process of a run starts for all of them, when the first test asks for it.

pytest-xdist runs the tests in several processes. The first process, which leads the run, keeps one thread for each
shared thing: the thread waits until a test of some process wants the thing, starts it, and ends it with the run.
"""

import json
import os
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

START_SECONDS = 180.0
_POLL_SECONDS = 0.05


class Shared:
    """One shared thing, known to every process by its file in the folder of the run."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self._wanted = folder / f"{name}.wanted"
        self._answer = folder / f"{name}.json"
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def lead(self, opened: Callable[[], AbstractContextManager[str]]) -> None:
        """Start it once a test wants it. The value of the context manager is what the tests get."""
        # The thread lives as long as what it starts: on Linux its children end with it.
        self._thread = threading.Thread(target=self._serve, args=(opened,), name=self.name, daemon=True)
        self._thread.start()

    def get(self) -> str:
        """Wait until it runs. Raises RuntimeError when it did not start."""
        self._wanted.touch()
        give_up = time.monotonic() + START_SECONDS
        while not self._answer.exists():
            if time.monotonic() > give_up:
                raise RuntimeError(f"{self.name} did not start within {START_SECONDS:.0f} s")
            time.sleep(_POLL_SECONDS)
        answer = json.loads(self._answer.read_text())
        if "error" in answer:
            raise RuntimeError(f"{self.name} did not start: {answer['error']}")
        return str(answer["value"])

    def end(self) -> None:
        """End it; returns when its processes are gone."""
        self._over.set()
        if self._thread:
            self._thread.join()

    def _serve(self, opened: Callable[[], AbstractContextManager[str]]) -> None:
        while not self._wanted.exists():
            if self._over.wait(_POLL_SECONDS):
                return
        try:
            with opened() as value:
                self._tell({"value": value})
                self._over.wait()
        except Exception as error:  # noqa: BLE001 - the tests that want it fail with it
            self._tell({"error": f"{type(error).__name__}: {error}"})

    def _tell(self, answer: dict[str, str]) -> None:
        half = self._answer.with_suffix(f".{os.getpid()}")
        half.write_text(json.dumps(answer))
        half.replace(self._answer)
