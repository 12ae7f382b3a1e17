"""For each planted bug the short run that provokes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.conductor import Pace
from tests.chaos.run import Options
from tests.chaos.workload import Plan

_NODES_LAG = ("slow postgres for a node",)
_SLOW_EMBEDDING = ("slow broker", "freeze embedder-0")
_FEW = Plan(
    documents=21,
    small_namespaces=(),
    waits=("accepted", "searchable"),
    new_text_share=1.0,
    period_seconds=0.08,
    weights={"upsert": 60, "read_own_write": 40},
)
"""Few documents, written again before their last text is embedded, and searched for at once."""
_CONTENDED = Plan(small_namespaces=(), documents=21, shared=1, period_seconds=0.05, weights={"contend": 80, "get": 20})
"""Every client writes the same few documents."""
_BROWSED = Plan(
    small_namespaces=(), documents=63, waits=("searchable",), weights={"upsert": 40, "batch": 10, "browse": 50}
)

_WRITTEN = Plan(
    small_namespaces=(), documents=420, waits=("accepted",), new_text_share=1.0, weights={"batch": 60, "find": 40}
)
"""Many documents, of which some are rewritten while any others are embedded."""
_SWEPT = Plan(
    documents=21,
    small_namespaces=(),
    dropped_namespaces=(),
    period_seconds=0.1,
    weights={"rewrite": 45, "sweep": 15, "mark": 15, "list": 25},
)
"""Documents that are deleted and changed by filter while they are rewritten."""
_SEARCHED = Plan(
    documents=21,
    small_namespaces=(),
    dropped_namespaces=(),
    waits=("searchable",),
    period_seconds=0.1,
    weights={"rewrite": 40, "claim": 20, "words": 20, "together": 20},
)
"""Documents that are written on condition, and found by their words and in batches."""
_DROPPED = Plan(
    documents=21, small_namespaces=(), swept_namespaces=(), period_seconds=0.1, weights={"renew": 80, "drop": 20}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What is done while the bug is in, and which checks must then find fault."""

    caught_by: tuple[str, ...]
    faults: tuple[str, ...] = _NODES_LAG
    seconds: float = 15.0
    plan: Plan = field(
        default_factory=lambda: Plan(documents=63, small_namespaces=(), swept_namespaces=(), dropped_namespaces=())
    )
    ends_under_fault: bool = False
    switches: int = 0
    """New versions of the model that must have come to answer; 0 leaves it at its first."""


PLANTED: Mapping[str, Scene] = {
    "log-rows-skipped": Scene(caught_by=("C6 convergence",), faults=("kill node-s0-r0",)),
    "text-revision-ignored": Scene(
        caught_by=("C1 lost", "C5 honesty"), faults=_SLOW_EMBEDDING, plan=_FEW, ends_under_fault=True
    ),
    "delete-not-logged": Scene(caught_by=("C6 convergence",)),
    "hits-not-verified": Scene(caught_by=("C2 resurrected",)),
    "partial-never-said": Scene(caught_by=("C5 honesty",), faults=("freeze-shard",)),
    "sweep-finds-nothing": Scene(caught_by=("C6 convergence",), faults=("cut broker",), ends_under_fault=True),
    "token-ignored": Scene(caught_by=("C5 honesty",)),
    "namespaces-mixed": Scene(caught_by=("C4 strangers",)),
    "old-rows-kept": Scene(caught_by=("C4 strangers",)),
    "acknowledged-before-flush": Scene(caught_by=("C1 lost", "C3 registers"), faults=("kill postgres",), seconds=30.0),
    "writers-not-locked": Scene(caught_by=("C3 registers",), faults=("slow postgres",), plan=_CONTENDED),
    "reads-remembered": Scene(caught_by=("C3 registers",), plan=_CONTENDED),
    "numbers-rounded": Scene(caught_by=("C5 honesty",), plan=_BROWSED),
    "words-folded": Scene(caught_by=("C5 honesty",), plan=_BROWSED),
    "embeddings-mixed": Scene(caught_by=("C9 errors",)),
    "dual-write-forgotten": Scene(caught_by=("C6 convergence",), plan=_WRITTEN, switches=1),
    "late-chunk-overwrites": Scene(caught_by=("C1 lost", "C6 convergence"), plan=_WRITTEN, switches=2),
    "versions-mixed": Scene(caught_by=("C11 versions",), switches=2),
    "sweep-unlocked": Scene(caught_by=("C3 registers", "C5 honesty", "C12 listings"), plan=_SWEPT),
    "sweep-ends-early": Scene(caught_by=("C2 resurrected", "C3 registers"), plan=_SWEPT),
    "drop-not-heard": Scene(caught_by=("C2 resurrected", "C3 registers"), plan=_DROPPED),
    "listing-skips": Scene(caught_by=("C12 listings",), plan=_SWEPT),
    "update-ends-early": Scene(caught_by=("C13 changes",), plan=_SWEPT),
    "condition-ignored": Scene(caught_by=("C13 changes",), plan=_SEARCHED),
    "batch-mixed": Scene(caught_by=("C5 honesty", "C11 versions"), plan=_SEARCHED),
    "old-words-kept": Scene(caught_by=("C5 honesty",), plan=_SEARCHED),
}
"""Name of the bug -> how it is provoked. The names are those of `planted/planted_bugs.py`."""


def planted_options(name: str, seed: int, folder: Path) -> Options:
    scene = PLANTED[name]
    return Options(
        seed=seed,
        seconds=scene.seconds,
        folder=folder,
        faults=scene.faults,
        planted=name,
        plan=scene.plan,
        pace=Pace(lasting=(3.0, 5.0), stretch_seconds=scene.seconds),
        warm_up_seconds=1.0,
        baseline_seconds=4.0,
        ends_under_fault=scene.ends_under_fault,
        upgrades=scene.switches > 0,
        switches=scene.switches,
    )
