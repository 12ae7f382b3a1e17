"""How fast a run went, as bars of a chart."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils import timezone

from embeddings_app.models import ReembedRun
from embeddings_app.records import run_rates
from embeddings_app.records.run_rates import Stretch

MAX_BARS = 60
_SHORTEST_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Rates:
    """From the beginning of the run to its end, or to now."""

    bar_seconds: float
    per_second: Sequence[float]
    """Documents embedded per second, of each bar, at most MAX_BARS."""


def rates(run: ReembedRun) -> Rates:
    seconds = ((run.ended_at or timezone.now()) - run.started_at).total_seconds()
    bar_seconds = max(seconds / MAX_BARS, _SHORTEST_SECONDS)
    found = run_rates.stretches(run.pk, MAX_BARS)
    return Rates(bar_seconds, spread(found, bar_seconds, max(math.ceil(seconds / bar_seconds), 1)))


def spread(found: Sequence[Stretch], bar_seconds: float, count: int) -> list[float]:
    """Documents per second in each of `count` bars: every stretch is spread evenly over its time."""
    amounts = [0.0] * count
    for stretch in found:
        began = min(max(stretch.began, 0.0), count * bar_seconds)
        ended = min(max(stretch.ended, began), count * bar_seconds)
        first, last = (min(int(moment / bar_seconds), count - 1) for moment in (began, ended))
        for bar in range(first, last + 1):
            inside = min(ended, (bar + 1) * bar_seconds) - max(began, bar * bar_seconds)
            share = inside / (ended - began) if ended > began else 1 / (last + 1 - first)
            amounts[bar] += stretch.embedded * share
    return [round(amount / bar_seconds, 2) for amount in amounts]
