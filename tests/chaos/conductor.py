"""Injects and heals faults by a plan drawn from the seed, with calm in between in which the service must recover."""

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg
from redis.exceptions import RedisError

from tests.chaos.cluster import Cluster, NotRunning
from tests.chaos.faults.base import Fault, FaultRecord
from tests.chaos.faults.catalogue import Deck
from tests.chaos.history import Journal

RATE_SECONDS = 5.0
"""Over which the rate of served operations is taken."""
RECOVERED_SHARE = 0.8
RECOVERY_SECONDS = 30.0
"""Within which the service must be back at its share of the rate from before."""
_SHORTEST_CALM_SECONDS = 8.0
_LAST_FAULT_SECONDS = 3.0
_TICK_SECONDS = 0.05
_OUT_OF_REACH = (NotRunning, RedisError, psycopg.Error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How faults follow each other. Ranges are in seconds."""

    between: tuple[float, float] = (3.0, 5.0)
    lasting: tuple[float, float] = (1.0, 8.0)
    together: int = 2
    stretch_seconds: float = 40.0
    """Length of a stretch of faults, after which comes a calm."""


@dataclass(frozen=True, slots=True)
class Calm:
    """A time without faults, and how many operations a second were served at its end."""

    began: float
    ended: float
    rate: float


@dataclass(slots=True)
class _Active:
    fault: Fault
    injected: float
    heal_at: float
    complete: bool = False


class Conductor:
    def __init__(self, cluster: Cluster, journal: Journal, deck: Deck, seed: int, pace: Pace, folder: Path) -> None:
        self._cluster = cluster
        self._journal = journal
        self._deck = deck
        self._random = random.Random(f"{seed}/faults")
        self._pace = pace
        self._log = folder / "faults.jsonl"
        self._active: list[_Active] = []
        self.records: list[FaultRecord] = []
        self.calms: list[Calm] = []

    def run(self, until: float, baseline: float) -> None:
        """Stretches of faults and calms until the time; `baseline` is the rate of an undisturbed service."""
        while time.monotonic() < until:
            self._stretch(min(until, time.monotonic() + self._pace.stretch_seconds))
            self._calm(baseline)

    def end_under_fault(self, stop_workload: Callable[[], None]) -> None:
        """One more fault, which outlasts the workload: what it makes go wrong, no later request puts right."""
        try:
            self._inject(self._deck.draw())
            time.sleep(_LAST_FAULT_SECONDS)
            stop_workload()
            time.sleep(_LAST_FAULT_SECONDS)
        finally:
            self._heal(float("inf"))

    def _stretch(self, until: float) -> None:
        """Faults until the time, all of them healed at the end, however it ends."""
        next_at = time.monotonic()
        try:
            while (now := time.monotonic()) < until:
                self._heal(now)
                if now >= next_at and len(self._active) < self._pace.together:
                    self._inject(self._deck.draw())
                    next_at = now + self._random.uniform(*self._pace.between)
                time.sleep(_TICK_SECONDS)
        finally:
            self._heal(float("inf"))

    def _calm(self, baseline: float) -> None:
        began = time.monotonic()
        rate = 0.0
        while (now := time.monotonic()) < began + RECOVERY_SECONDS:
            rate = self._journal.rate(now - RATE_SECONDS, now)
            if now >= began + _SHORTEST_CALM_SECONDS and rate >= RECOVERED_SHARE * baseline:
                break
            time.sleep(0.25)
        self.calms.append(Calm(began, time.monotonic(), rate))
        self._write("calm", seconds=f"{time.monotonic() - began:.1f}", rate=f"{rate:.1f}", before=f"{baseline:.1f}")

    def _inject(self, fault: Fault) -> None:
        # Noted first: what it does begins before `inject` returns, and it may fail half way.
        injected = time.monotonic()
        active = _Active(fault, injected, injected + self._random.uniform(*self._pace.lasting))
        self._active.append(active)
        try:
            fault.inject(self._cluster)
        except _OUT_OF_REACH as error:
            self._write("missed", kind=fault.kind, target=fault.target, reason=type(error).__name__)
        else:
            active.complete = True
            self._write("injected", kind=fault.kind, target=fault.target)

    def _heal(self, now: float) -> None:
        """Heal what is due. One that cannot be reached is dead, and comes back healed."""
        for active in [active for active in self._active if active.heal_at <= now]:
            try:
                active.fault.heal(self._cluster)
            except _OUT_OF_REACH as error:
                self._write("not reached", kind=active.fault.kind, reason=type(error).__name__)
            self._active.remove(active)
            self._write("healed", kind=active.fault.kind, target=active.fault.target)
            self.records.append(
                FaultRecord(
                    kind=active.fault.kind,
                    target=active.fault.target,
                    parts=active.fault.parts,
                    injected=active.injected,
                    healed=time.monotonic(),
                    complete=active.complete,
                )
            )

    def _write(self, event: str, **more: str) -> None:
        line = json.dumps({"at": time.monotonic(), "event": event, **more})
        with self._log.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
