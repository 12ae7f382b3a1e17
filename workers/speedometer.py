"""How fast this process computes: tokens per second for each model version, while it has work."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from embedding_project.broker.embed_load import model_name
from embedding_project.contracts.model_spec import ModelSpec

TELLING_TOKENS = 64
"""A smaller step is mostly the cost of having a step: that it was slow says little about the speed under load."""
_FULL_WEIGHT_TOKENS = 512
_WEIGHT = 0.2
_GAP_SECONDS = 0.02
"""What passes between two steps that follow so closely is work too: fetching, tokenising, answering."""


class Speedometer:
    """Not for several threads at a time; `speeds` may be read by any."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._speeds: dict[str, float] = {}
        self._ended = float("-inf")

    @contextmanager
    def step(self, spec: ModelSpec, tokens: int) -> Iterator[None]:
        """Measure the block, which computes `tokens` (padding not counted). A block that fails is no measure."""
        now = self._clock()
        began = self._ended if now - self._ended < _GAP_SECONDS else now
        yield
        self._ended = self._clock()
        if self._ended > began:
            self._note(model_name(spec), tokens, tokens / (self._ended - began))

    def _note(self, model: str, tokens: int, speed: float) -> None:
        known = self._speeds.get(model)
        if known is not None and speed > known:
            # Any step that is faster than what is known proves it wrong. One that was too low would else stay: it keeps
            # texts out, and steps small.
            self._speeds[model] = known + _WEIGHT * (speed - known)
        elif tokens >= TELLING_TOKENS:
            # Steps are large when the load is high, and that is the speed which matters.
            weight = _WEIGHT * min(1.0, tokens / _FULL_WEIGHT_TOKENS)
            self._speeds[model] = speed if known is None else known + weight * (speed - known)

    def speeds(self) -> Mapping[str, float]:
        """Model version -> tokens per second; only what was measured."""
        return dict(self._speeds)


speedometer = Speedometer()
"""Of this process."""
