"""How fast this process computes each model, measured on the steps it does; and how large its next steps may be.

A step should take a fixed time: then an interactive text waits no longer than that for the step before it, whatever the
model, the machine and its other load. Used by several threads; the worst that a race costs is one measurement.
"""

from dataclasses import dataclass

from embedding_project.contracts.model_spec import ModelSpec
from workers.batching import Budget

_WEIGHT = 0.2
"""Of the newest measurement against all before."""
_MAX_MODELS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What holds for every step on a device; within it, measured speed decides."""

    step_seconds: float
    first_tokens: int
    """Budget of a model that was not measured yet."""
    least_tokens: int
    most_tokens: int
    items: int
    step_cost_tokens: int
    window: int


# Two Zen 3 cores do about 9,500 tokens/s of a MiniLM in steps of 512, some 50 ms each: as fast as in steps of 2,048,
# and an interactive text waits for a quarter as long. In a window of 64, package descriptions are padded by 4 %; in one
# of 256 by 1.5 %, but the first batch is complete 1.7 times as late.
CPU_LIMITS = Limits(
    step_seconds=0.05,
    first_tokens=512,
    least_tokens=128,
    most_tokens=16_384,
    items=64,
    step_cost_tokens=40,
    window=64,
)
# Not measured on a GPU: 16,384 tokens are what text-embeddings-inference takes by default, and bound the memory.
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
    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._speeds: dict[ModelSpec, float] = {}

    def tokens_per_second(self, model: ModelSpec) -> float:
        """Measured, or assumed as long as nothing was."""
        return self._speeds.get(model) or self.limits.first_tokens / self.limits.step_seconds

    def observe(self, model: ModelSpec, tokens: int, seconds: float) -> None:
        """Learn from a step that cost `tokens`. A small one shows what a step costs, not what a token does."""
        if 2 * tokens < self.budget(model).tokens and tokens < self.limits.first_tokens:
            return
        if len(self._speeds) >= _MAX_MODELS:
            self._speeds.clear()
        known = self.tokens_per_second(model)
        self._speeds[model] = known + _WEIGHT * (tokens / max(seconds, 1e-6) - known)

    def budget(self, model: ModelSpec) -> Budget:
        limits = self.limits
        tokens = int(self.tokens_per_second(model) * limits.step_seconds)
        return Budget(
            items=limits.items,
            tokens=min(max(tokens, limits.least_tokens), limits.most_tokens),
            step_cost_tokens=limits.step_cost_tokens,
            window=limits.window,
        )
