"""Which texts are computed together, and whose turn it is. Pure functions of lengths and counts.

A step is padded to its longest text, so it is bounded by padded tokens, and texts of like length go together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from embedding_project.contracts.messages import Lane

MAX_INTERACTIVE_STEPS_IN_A_ROW = 8
"""After so many, one bulk step runs when bulk waits: bulk ages, it does not starve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    items: int
    padded_tokens: int
    """A text longer than this goes alone."""
    step_cost_tokens: int
    """What starting one more step costs, in tokens: padding beyond it is worse than another step."""
    window: int
    """How many of the oldest texts a step is chosen from. Wider pads less and completes batches later."""


# Two Zen 3 cores do about 9,500 tokens/s of a MiniLM in steps of 512, some 50 ms each: as fast as in steps of 2,048,
# and an interactive text waits for a quarter as long. In a window of 64, package descriptions are padded by 4 %; in one
# of 256 by 1.5 %, but the first batch is complete 1.7 times as late.
_CPU_BUDGET = Budget(items=64, padded_tokens=512, step_cost_tokens=40, window=64)
_CUDA_BUDGET = Budget(items=64, padded_tokens=16_384, step_cost_tokens=2048, window=256)
CPU_BUDGETS: Mapping[Lane, Budget] = dict.fromkeys(Lane, _CPU_BUDGET)
CUDA_BUDGETS: Mapping[Lane, Budget] = dict.fromkeys(Lane, _CUDA_BUDGET)


def steps(lengths: Sequence[int], budget: Budget) -> list[list[int]]:
    """All positions of `lengths` in groups within `budget`, the longest texts first."""
    longest_first = sorted(range(len(lengths)), key=lambda position: -lengths[position])
    groups: list[list[int]] = []
    for rank, position in enumerate(longest_first):
        group = groups[-1] if groups else []
        left = len(longest_first) - rank
        if group and _joins(lengths[group[0]], len(group), lengths[position], left, budget):
            group.append(position)
        else:
            groups.append([position])
    return groups


def _joins(longest: int, count: int, length: int, left: int, budget: Budget) -> bool:
    room = min(budget.items, budget.padded_tokens // longest) - count
    # All `left` texts are at most `length` long: each that joins is padded by at least the difference.
    padding = (longest - length) * min(left, room)
    return room > 0 and padding <= budget.step_cost_tokens


def next_step(lengths: Sequence[int], budget: Budget) -> list[int]:
    """The group with the text that waits longest (position 0); others from the window fill it up by length."""
    return next(group for group in steps(lengths[: budget.window], budget) if 0 in group)


def next_lane(*, interactive: bool, bulk: bool, interactive_in_a_row: int) -> Lane | None:
    """Whose turn it is, from which lanes have texts waiting; None when neither has."""
    if bulk and (not interactive or interactive_in_a_row >= MAX_INTERACTIVE_STEPS_IN_A_ROW):
        return Lane.BULK
    return Lane.INTERACTIVE if interactive else None
