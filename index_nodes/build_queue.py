"""A thread of a node that has graphs built in one lane: one builder process per machine and lane, by a lock file.

A build that fails or is killed changes nothing: the rows stay searchable where they are, their namespace rests for a
while, and the builds of other namespaces go on. The next try does not use the file of an earlier graph, since that file
may be the cause.
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

from embedding_project.config import PROJECT_ROOT, inherited_environment
from embedding_project.observing.log_lines import place_of
from embedding_project.threads.usable_cores import usable_cores
from embedding_project.threads.vital_thread import VitalThread
from index_nodes.build_lanes import ANY_SIZE, Lane
from index_nodes.builder import UNFINISHED
from index_nodes.hnsw_segment import HnswSegment
from index_nodes.memory_budget import give_back_freed
from index_nodes.merge_job import MergeJob
from index_nodes.metrics import BUILDS, THREAD_SEEN
from index_nodes.version_index import VersionIndex

_IDLE_SECONDS = 0.25
_POLL_SECONDS = 0.05
_PAUSE_AFTER_FAILURE_SECONDS = 1.0
_STOP_SECONDS = 5.0
_BUILD_SECONDS = 300.0
"""The queue kills a builder after so long, and its rows at the least pace of the lane."""
logger = logging.getLogger(__name__)


class BuildFailed(Exception):
    """The builder process did not make the graph; the message has its exit status and the end of its output."""


class BuildQueue:
    def __init__(
        self, node: str, indexes: Callable[[], Sequence[VersionIndex]], machine_folder: Path, lane: Lane = ANY_SIZE
    ) -> None:
        """`machine_folder` is the same for all nodes of a machine: the lock files are there."""
        self._indexes = indexes
        self._machine_lock = machine_folder / f"builder-{lane.name}.lock"
        self._lane = lane
        self._stopping = threading.Event()
        self._seen = THREAD_SEEN.labels(node, f"builds-{lane.name}")
        self._thread = VitalThread(f"builds-{lane.name}", self._run, self._stopping.set, _STOP_SECONDS)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End a running builder and wait for the thread."""
        self._thread.stop()

    def build_next(self) -> bool:
        """Run the smallest build that is due in this lane; False when there is none. Raises every error of the build;
        its namespace then rests."""
        due_at = time.monotonic()
        if not self._due():
            return False
        # The machine first, then the plan: rows that come during the wait are part of it.
        with self._only_builder() as lock:
            for index in () if self._stopping.is_set() else self._due():
                if build := index.next_build(time.monotonic(), self._lane):
                    self._try(index, *build, lock)
                    index.note_built(build[1].added, time.monotonic() - due_at)
                    return True
        return False

    def _due(self) -> list[VersionIndex]:
        """The indexes with a build that is due, that with the smallest one first."""
        now = time.monotonic()
        rows = [(rows, index) for index in self._indexes() if (rows := index.rows_due(now, self._lane)) is not None]
        return [index for _, index in sorted(rows, key=lambda entry: entry[0])]

    def _try(self, index: VersionIndex, namespace_key: int, job: MergeJob, lock: int) -> None:
        try:
            self._build(index, namespace_key, job, lock)
        except Exception:
            index.note_failed_build(namespace_key, job, time.monotonic())
            raise

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._seen.set_to_current_time()
            pause = _IDLE_SECONDS
            try:
                if self.build_next():
                    pause = 0.0
                    # What the graph has replaced lay in pieces among what stays: 1.5 ms bring it back.
                    give_back_freed()
            except Exception as error:  # noqa: BLE001
                pause = _PAUSE_AFTER_FAILURE_SECONDS
                BUILDS.labels("failed").inc()
                words = str(error) if isinstance(error, BuildFailed | OSError) else place_of(error)
                logger.warning("a build failed, and the node will try again: %s", words)
            self._stopping.wait(pause)

    def _build(self, index: VersionIndex, namespace_key: int, job: MergeJob, lock: int) -> None:
        rows = job.rows()
        if not rows.count:
            index.publish(namespace_key, job, None)
            return
        name = uuid.uuid4().hex
        vectors, output = index.directory / f"{name}.npy", index.directory / f"{name}.faiss"
        try:
            job.save_vectors(vectors, index.dimension)
            self._run_builder(index, job, (vectors, output), lock)
            index.publish(namespace_key, job, HnswSegment.read(rows, output))
        except Exception:
            output.unlink(missing_ok=True)
            # When the index was dropped during the build, its files are gone, and nobody needs its graph.
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
        command += ["--storage", index.storage, "--niceness", str(self._lane.niceness)]
        if job.base:
            command += ["--base", str(job.base.path)]
        environment = inherited_environment() | {
            "OMP_NUM_THREADS": str(self._lane.threads(usable_cores())),
            "OMP_WAIT_POLICY": "passive",
        }
        # The child inherits the lock: the machine stays locked while the child runs, even when this node dies.
        process = subprocess.Popen(
            command, cwd=PROJECT_ROOT, env=environment, pass_fds=(lock,), stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        deadline = time.monotonic() + _BUILD_SECONDS + job.total / self._lane.least_rows_a_second
        while process.poll() is None:
            self._seen.set_to_current_time()
            if self._stopping.wait(_POLL_SECONDS) or index.closed or time.monotonic() > deadline:
                process.kill()
                process.wait()
        _, words = process.communicate()
        if process.returncode:
            raise BuildFailed(f"status {process.returncode}: {words.strip()[-500:]}")

    @contextmanager
    def _only_builder(self) -> Iterator[int]:
        """Hold the lock of the lane on this machine. When the node stops, go on without it."""
        with self._machine_lock.open("a") as file:
            while not self._stopping.is_set():
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    self._seen.set_to_current_time()
                    self._stopping.wait(_POLL_SECONDS)
            yield file.fileno()
