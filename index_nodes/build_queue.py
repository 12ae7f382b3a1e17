"""The thread of a node that has graphs built: one builder process per machine at a time, by a lock file.

A build that fails or is killed changes nothing: the rows stay searchable where they are, and it is tried again later.
"""

import fcntl
import logging
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from embedding_project.config import PROJECT_ROOT, inherited_environment
from index_nodes.builder import UNFINISHED
from index_nodes.hnsw_segment import HnswSegment
from index_nodes.merge_job import MergeJob
from index_nodes.metrics import BUILDS
from index_nodes.version_index import VersionIndex

BUILDER_THREADS = 2
_IDLE_SECONDS = 0.25
_POLL_SECONDS = 0.05
_FIRST_BACKOFF_SECONDS = 1.0
_MAX_BACKOFF_SECONDS = 60.0
logger = logging.getLogger(__name__)


class BuildFailed(Exception):
    """The builder process did not make the graph; the message is its exit status and last words."""


class BuildQueue:
    def __init__(self, indexes: Callable[[], Sequence[VersionIndex]], machine_lock: Path) -> None:
        self._indexes = indexes
        self._machine_lock = machine_lock
        self._stopping = threading.Event()
        self._backoff_seconds = 0.0
        self._thread = threading.Thread(target=self._run, name="build-queue", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End a running builder and wait for the thread."""
        self._stopping.set()
        self._thread.join()

    def build_next(self) -> bool:
        """Run the most useful build there is; False when there is none. Raises BuildFailed, OSError."""
        for index in self._indexes():
            found = index.next_build(time.monotonic())
            if found:
                namespace_key, job = found
                self._build(index, namespace_key, job)
                return True
        return False

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                idle = not self.build_next()
                self._backoff_seconds = 0.0
            except (BuildFailed, OSError, RuntimeError, ValueError) as error:
                idle = True
                BUILDS.labels("failed").inc()
                self._backoff_seconds = min(
                    max(2 * self._backoff_seconds, _FIRST_BACKOFF_SECONDS), _MAX_BACKOFF_SECONDS
                )
                logger.warning("build failed, again in %.0f s: %s", self._backoff_seconds, error)
            if idle:
                self._stopping.wait(_IDLE_SECONDS + self._backoff_seconds)

    def _build(self, index: VersionIndex, namespace_key: int, job: MergeJob) -> None:
        rows = job.rows()
        if not rows.count:
            index.publish(namespace_key, job, None)
            return
        name = uuid.uuid4().hex
        vectors, output = index.directory / f"{name}.npy", index.directory / f"{name}.faiss"
        try:
            np.save(vectors, job.added_vectors())
            with self._only_builder() as lock:
                self._run_builder(index, job, (vectors, output), lock)
            index.publish(namespace_key, job, HnswSegment.read(rows, output))
        except (BuildFailed, OSError, RuntimeError):
            # The files of an index that was dropped meanwhile are gone, and nobody needs its graph.
            if not index.closed and not self._stopping.is_set():
                raise
        else:
            BUILDS.labels("built").inc()
        finally:
            for file in (vectors, output.with_suffix(UNFINISHED)):
                file.unlink(missing_ok=True)

    def _run_builder(self, index: VersionIndex, job: MergeJob, files: tuple[Path, Path], lock: int) -> None:
        vectors, output = files
        command = [sys.executable, "-m", "index_nodes.builder", "--vectors", str(vectors), "--output", str(output)]
        if job.base:
            command += ["--base", str(job.base.path)]
        environment = inherited_environment() | {"OMP_NUM_THREADS": str(BUILDER_THREADS), "OMP_WAIT_POLICY": "passive"}
        # The child inherits the lock, so that the machine stays locked as long as it runs, even when this node dies.
        process = subprocess.Popen(
            command, cwd=PROJECT_ROOT, env=environment, pass_fds=(lock,), stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        while process.poll() is None:
            if self._stopping.wait(_POLL_SECONDS) or index.closed:
                process.kill()
                process.wait()
        _, words = process.communicate()
        if process.returncode:
            raise BuildFailed(f"status {process.returncode}: {words.strip()[-500:]}")

    @contextmanager
    def _only_builder(self) -> Iterator[int]:
        """Hold the machine's lock, or return at once when the node stops while waiting for it."""
        with self._machine_lock.open("a") as file:
            while not self._stopping.is_set():
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    self._stopping.wait(_POLL_SECONDS)
            yield file.fileno()
