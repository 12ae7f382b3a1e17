"""Which texts are computed together, and which lane has its turn. Pure functions of lengths and counts.

Each step has a bound on its cost in tokens. For an encoder that pads, every row costs as much as the longest text, so
texts of similar length go together; for an encoder that does not pad, a text costs its tokens, so the oldest go first.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from embedding_project.contracts.messages import Lane

MAX_INTERACTIVE_STEPS_IN_A_ROW = 8
"""After so many, one bulk step runs when bulk texts wait, so that they never starve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The bounds of one step."""

    items: int
    tokens: int
    """The most that a step may cost; a text that costs more goes alone."""
    step_cost_tokens: int
    """The cost of one more step, in tokens: more padding than that is worse than another step."""
    window: int
    """A step is chosen from so many of the oldest texts. A wider window pads less and completes batches later."""


def cost(lengths: Sequence[int], *, padded: bool) -> int:
    """The cost of one step with texts of these lengths, in tokens."""
    return len(lengths) * max(lengths) if padded else sum(lengths)


def next_step(lengths: Sequence[int], budget: Budget, *, padded: bool) -> list[int]:
    """Positions of the texts to compute next; the oldest text (position 0) is always among them."""
    if not padded:
        return _oldest(lengths, budget)
    return next(group for group in steps(lengths[: budget.window], budget) if 0 in group)


def _oldest(lengths: Sequence[int], budget: Budget) -> list[int]:
    left = budget.tokens
    count = 0
    for length in lengths[: budget.items]:
        left -= length
        if left < 0 and count:
            break
        count += 1
    return list(range(count))


def steps(lengths: Sequence[int], budget: Budget) -> list[list[int]]:
    """All positions of `lengths` in groups to be padded, each within `budget`, the longest texts first."""
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
    room = min(budget.items, budget.tokens // longest) - count
    # All `left` texts are at most `length` long: each that joins is padded by at least the difference.
    padding = (longest - length) * min(left, room)
    return room > 0 and padding <= budget.step_cost_tokens


def next_lane(*, interactive: bool, bulk: bool, interactive_in_a_row: int) -> Lane | None:
    """The lane that has its turn, by which lanes have waiting texts; None when neither has."""
    if bulk and (not interactive or interactive_in_a_row >= MAX_INTERACTIVE_STEPS_IN_A_ROW):
        return Lane.BULK
    return Lane.INTERACTIVE if interactive else None
