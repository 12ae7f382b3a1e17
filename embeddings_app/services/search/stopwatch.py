"""How long each stage of a search takes, for its answer, its trace and the metrics."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from embedding_project.observing.tracing import span
from embeddings_app.services.search.metrics import STAGE_SECONDS


class Stopwatch:
    """Milliseconds by stage; stages that happen twice add up."""

    def __init__(self, *, counted: bool = True) -> None:
        """`counted`: whether the metrics hear of the stages. They are about searches of clients alone."""
        self.ms: dict[str, float] = {}
        self._counted = counted
        self._started = time.perf_counter()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the block, which is a span of its trace as well."""
        began = time.perf_counter()
        with span(name):
            yield
        self.note(name, 1000 * (time.perf_counter() - began))

    def note(self, name: str, milliseconds: float) -> None:
        """A stage that was timed elsewhere."""
        if self._counted:
            STAGE_SECONDS.labels(name).observe(milliseconds / 1000)
        self.add(name, milliseconds)

    def add(self, stage: str, milliseconds: float) -> None:
        """Time within a stage of this watch."""
        self.ms[stage] = round(self.ms.get(stage, 0.0) + milliseconds, 3)

    def total(self) -> dict[str, float]:
        return {**self.ms, "total": round(1000 * (time.perf_counter() - self._started), 3)}
