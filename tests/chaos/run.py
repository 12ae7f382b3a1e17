"""One chaos run from the first process to the verdict."""

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.checks.all_checks import judge
from tests.chaos.checks.base import Evidence
from tests.chaos.client import Client
from tests.chaos.cluster import REPLICAS, Cluster, running_cluster
from tests.chaos.conductor import Conductor, Pace
from tests.chaos.faults.catalogue import CATALOGUE, Deck
from tests.chaos.final_state import AUDITOR, read_everything, wait_for_rest
from tests.chaos.history import Journal
from tests.chaos.registers import registers_of
from tests.chaos.sampling import Sampler
from tests.chaos.upgrader import Upgrader
from tests.chaos.versions import KnownVersions
from tests.chaos.workload import Plan, Workload

_SWITCHED_SECONDS = 600.0
"""How long a run goes on for the switches that it needs."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a run is to be."""

    seed: int
    seconds: float
    """From the first fault to the last."""
    folder: Path
    """Where history and logs go."""
    faults: tuple[str, ...] = tuple(CATALOGUE)
    """Names from the catalogue."""
    planted: str = ""
    """A bug to switch on in the instance."""
    plan: Plan = field(default_factory=Plan)
    pace: Pace = field(default_factory=Pace)
    warm_up_seconds: float = 5.0
    baseline_seconds: float = 8.0
    upgrades: bool = True
    """Whether the model goes from version to version all the while."""
    switches: int = 0
    """How often a new version must have come to answer before the faults end, in the time for that."""
    ends_under_fault: bool = False
    """Whether the last fault is healed only when the workload has stopped, so that no later write covers it up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    violations: Mapping[str, list[str]]
    """Check -> what it found."""
    faults: Mapping[str, int]
    """Kind -> how many were injected."""
    operations: Mapping[str, int]
    """Kind and outcome -> how many."""
    upgrades: Mapping[str, int]
    """Step of a model version -> how often it was taken."""
    longest_calm_seconds: float

    @property
    def sound(self) -> bool:
        return not self.violations


def run(options: Options, say: Say) -> Verdict:
    """Run it; the folder then has `history.jsonl`, `faults.jsonl` and the logs of the roles."""
    options.folder.mkdir(parents=True, exist_ok=True)
    say(f"seed {options.seed}, {options.seconds:.0f} s, {options.folder}")
    with (
        Journal(options.folder / "history.jsonl") as journal,
        running_cluster(options.seed, options.planted) as cluster,
    ):
        try:
            return _verdict(_evidence(cluster, journal, options, say))
        finally:
            _keep_logs(cluster, options.folder)


def _evidence(cluster: Cluster, journal: Journal, options: Options, say: Say) -> Evidence:
    with ExitStack() as stack:
        sampler = Sampler(cluster)
        stack.callback(sampler.stop)
        known = KnownVersions()
        workload = Workload(cluster.url, journal, options.plan, options.seed, known)
        stack.callback(workload.stop)
        upgrader = Upgrader(cluster, known, options.seed) if options.upgrades else None
        if upgrader:
            stack.callback(upgrader.stop)
        conductor = Conductor(
            cluster, journal, Deck(options.faults, options.seed), options.seed, options.pace, options.folder
        )
        time.sleep(options.warm_up_seconds + options.baseline_seconds)
        now = time.monotonic()
        baseline = journal.rate(now - options.baseline_seconds, now)
        say(f"{baseline:.0f} operations a second before the first fault")
        conductor.run(now + options.seconds, baseline)
        while upgrader and upgrader.steps["switch"] < options.switches and time.monotonic() < now + _SWITCHED_SECONDS:
            conductor.run(time.monotonic() + options.seconds, baseline)
        if options.ends_under_fault:
            conductor.end_under_fault(workload.stop)
        workload.stop()
        if upgrader:
            upgrader.stop()
        say(f"{len(conductor.records)} faults; waiting for rest")
        final = wait_for_rest(cluster, REPLICAS)
        known.learn(final.states)
        places = registers_of(journal.operations()).keys()
        read_everything(Client(AUDITOR, cluster.url, journal, known, random.Random(options.seed)), places, known)
    failures = workload.failures + (upgrader.failures if upgrader else [])
    if failures:
        raise failures[0]
    operations = journal.operations()
    return Evidence(
        operations=operations,
        registers=registers_of(operations),
        faults=conductor.records,
        calms=conductor.calms,
        baseline=baseline,
        processes=sampler.processes,
        stores=sampler.stores,
        final=final,
        replicas=REPLICAS,
        upgrades=upgrader.steps if upgrader else {},
    )


def _verdict(evidence: Evidence) -> Verdict:
    return Verdict(
        violations=judge(evidence),
        faults=Counter(fault.kind for fault in evidence.faults if fault.complete),
        operations=Counter(f"{operation.asked.kind} {operation.outcome}" for operation in evidence.operations),
        upgrades=evidence.upgrades,
        longest_calm_seconds=max((calm.ended - calm.began for calm in evidence.calms), default=0.0),
    )


def _keep_logs(cluster: Cluster, folder: Path) -> None:
    for source in (cluster.var / "logs", cluster.var.parent / "servers" / "logs"):
        for path in source.glob("*.log*"):
            (folder / path.name).write_bytes(path.read_bytes())
