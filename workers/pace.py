"""How fast this process computes each model version while it has work, and how large its next steps may be.

A step should take a fixed time: then an interactive text waits at most so long for the step before it, with any model,
machine and other load. The same speed tells senders how much text may wait.

Speeds are measured for one thread, and all threads together are as many times faster.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from embedding_project.broker.embed_load import model_name
from embedding_project.contracts.model_spec import ModelSpec
from workers.batching import Budget

TELLING_TOKENS = 64
"""The time of a smaller step is mostly the fixed cost of a step, and says little about the speed under load."""
_FULL_WEIGHT_TOKENS = 512
_WEIGHT = 0.2
"""Of the newest measurement, against all earlier ones."""
_GAP_SECONDS = 0.02
"""A shorter time between two steps counts as work: to receive, to tokenise, to answer."""
_MAX_MODELS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of every step on a device; within them, the measured speed decides."""

    step_seconds: float
    first_tokens: int
    """Budget of a model before its first measurement."""
    least_tokens: int
    most_tokens: int
    items: int
    step_cost_tokens: int
    window: int
    """Of each thread."""


# A core of an AMD EPYC with AVX-512 computes some 300 tokens of a MiniLM in 75 ms. In steps of 512 it would do 4 %
# more in a second, in steps of 1,024 10 % more, in steps of 256 5 % fewer, and in steps of 128 15 % fewer. In a
# window of 64, package descriptions are padded by 4 %; in one of 256 by 1.5 %, but the first batch is complete 1.7
# times as late.
CPU_LIMITS = Limits(
    step_seconds=0.075,
    first_tokens=384,
    least_tokens=128,
    most_tokens=16_384,
    items=64,
    step_cost_tokens=40,
    window=64,
)
# Not measured on a GPU: 16,384 tokens are the default of text-embeddings-inference, and bound the memory.
CUDA_LIMITS = Limits(
    step_seconds=0.05,
    first_tokens=16_384,
    least_tokens=2_048,
    most_tokens=16_384,
    items=512,
    step_cost_tokens=2_048,
    window=1_024,
)


class Pace:
    """Used by several threads, each of which measures its own steps. Padding does not count."""

    def __init__(self, limits: Limits, threads: int = 1, clock: Callable[[], float] = time.perf_counter) -> None:
        """`threads`: how many steps are computed at a time."""
        self.limits = limits
        self.threads = threads
        self._clock = clock
        self._speeds: dict[str, float] = {}
        self._last = threading.local()
        self._lock = threading.Lock()

    @contextmanager
    def step(self, model: ModelSpec, tokens: int, cores: int = 1) -> Iterator[None]:
        """Measure the block, which computes `tokens` with so many `cores`. A block that fails does not count."""
        now, ended = self._clock(), getattr(self._last, "ended", float("-inf"))
        began = ended if now - ended < _GAP_SECONDS else now
        yield
        self._last.ended = self._clock()
        self.observe(model, tokens, (self._last.ended - began) * cores)

    def suppose(self, model: ModelSpec, tokens_per_second: float) -> None:
        """Assume a speed of one thread for `model` until its first step; 0 for unknown."""
        with self._lock:
            if tokens_per_second and model_name(model) not in self._speeds:
                self._keep(model_name(model), tokens_per_second)

    def observe(self, model: ModelSpec, tokens: int, seconds: float) -> None:
        """Learn from a step of `tokens` that took one core so many `seconds`."""
        with self._lock:
            self._learn(model_name(model), tokens, tokens / max(seconds, 1e-6))

    def _learn(self, name: str, tokens: int, speed: float) -> None:
        known = self._speeds.get(name)
        if known is None:
            self._keep(name, speed)
        elif speed > known:
            # Any faster step proves that the known speed is too low. A speed that is too low would stay so: it keeps
            # texts out, and steps small.
            self._keep(name, known + _WEIGHT * (speed - known))
        elif tokens >= TELLING_TOKENS:
            # Steps are large under high load, and the speed under high load matters.
            self._keep(name, known + _WEIGHT * min(1.0, tokens / _FULL_WEIGHT_TOKENS) * (speed - known))

    def _keep(self, name: str, speed: float) -> None:
        while len(self._speeds) >= _MAX_MODELS and name not in self._speeds:
            del self._speeds[next(iter(self._speeds))]
        self._speeds[name] = speed

    def speeds(self) -> Mapping[str, float]:
        """Model version -> tokens per second of all threads, for the models that have a measured or assumed speed."""
        with self._lock:
            return {name: speed * self.threads for name, speed in self._speeds.items()}

    def tokens_per_second(self, model: ModelSpec) -> float:
        """The speed of all threads with `model`, as far as it is known, or else the default of the device."""
        return self._of_one(model) * self.threads

    def _of_one(self, model: ModelSpec) -> float:
        return self._speeds.get(model_name(model)) or self.limits.first_tokens / self.limits.step_seconds

    def budget(self, model: ModelSpec) -> Budget:
        """The bounds of a step of one thread."""
        limits = self.limits
        tokens = int(self._of_one(model) * limits.step_seconds)
        return Budget(
            items=limits.items,
            tokens=min(max(tokens, limits.least_tokens), limits.most_tokens),
            step_cost_tokens=limits.step_cost_tokens,
            window=limits.window,
        )
