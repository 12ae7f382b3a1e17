"""C6, C8, C10 and the check for void runs find what they are for, and nothing else."""

from dataclasses import replace

import pytest

from tests.chaos.checks.base import Check, Evidence
from tests.chaos.checks.state import Bounds, Convergence, Sequence
from tests.chaos.checks.worth import Worth
from tests.chaos.final_state import FinalState, LogState, ReplicaState
from tests.chaos.history import Answered, Asked, Kind
from tests.chaos.processes import Usage
from tests.chaos.sampling import ProcessSample, StoreSample
from tests.unit.chaos.scenes import (
    AT_REST,
    EMPTY,
    LOG_AT_REST,
    REPLICA_AT_REST,
    delete,
    drop,
    evidence,
    get,
    listing,
    mark,
    operation,
    search,
    seen,
    sweep,
    upsert,
)


def _found(check: Check, final: FinalState) -> list[str]:
    return list(check.violations(replace(EMPTY, final=final)))


@pytest.mark.parametrize(
    "final",
    [
        replace(AT_REST, pending=1),
        replace(AT_REST, quarantined=1),
        replace(AT_REST, queues={"index": 3}),
        replace(AT_REST, on_the_way={3: "backfilling"}),
        replace(AT_REST, lacking={3: 2}),
        replace(AT_REST, of_deleted={3: 1}),
        replace(AT_REST, kept={2: 5}),
        replace(AT_REST, logs=()),
        replace(AT_REST, replicas=()),
        replace(AT_REST, replicas=(replace(REPLICA_AT_REST, applied=8),)),
        replace(AT_REST, replicas=(replace(REPLICA_AT_REST, digest=78),)),
        replace(AT_REST, replicas=(replace(REPLICA_AT_REST, ready=False),)),
    ],
)
def test_what_has_not_converged_is_found(final: FinalState) -> None:
    assert len(_found(Convergence(), final)) == 1


def test_equal_replicas_at_rest_have_converged() -> None:
    assert _found(Convergence(), AT_REST) == []
    assert _found(Convergence(), replace(AT_REST, kept={2: 0})) == []


@pytest.mark.parametrize(
    ("log", "replica", "violations"),
    [
        (LOG_AT_REST, REPLICA_AT_REST, 0),
        (replace(LOG_AT_REST, count=8), REPLICA_AT_REST, 1),
        (replace(LOG_AT_REST, head=10), REPLICA_AT_REST, 1),
        (replace(LOG_AT_REST, lowest=4, count=6), REPLICA_AT_REST, 1),
        (replace(LOG_AT_REST, lowest=4, count=6), replace(REPLICA_AT_REST, snapshot_seq=3), 0),
        (replace(LOG_AT_REST, lowest=0, highest=0, count=0), REPLICA_AT_REST, 1),
        (replace(LOG_AT_REST, lowest=0, highest=0, count=0), replace(REPLICA_AT_REST, snapshot_seq=9), 0),
    ],
)
def test_a_log_must_be_whole_from_one_or_from_the_snapshots(
    log: LogState, replica: ReplicaState, violations: int
) -> None:
    assert len(_found(Sequence(), replace(AT_REST, logs=(log,), replicas=(replica,)))) == violations


def _sampled(resident: int, descriptors: int, stored: int) -> Evidence:
    usage = Usage(resident_bytes=resident, descriptors=descriptors, threads=9)
    return replace(
        EMPTY, processes=(ProcessSample(0, "node-s0-r0", usage),), stores=(StoreSample(0, "broker", stored),)
    )


def test_memory_descriptors_and_stores_have_bounds() -> None:
    assert list(Bounds().violations(_sampled(10**8, 100, 10**7))) == []
    for case in (_sampled(10**9, 100, 10**7), _sampled(10**8, 1000, 10**7), _sampled(10**8, 100, 10**9), EMPTY):
        assert len(list(Bounds().violations(case))) == 1


def test_a_run_in_which_nothing_happened_is_void() -> None:
    assert len(list(Worth().violations(EMPTY))) == 10


def test_a_run_with_enough_of_everything_is_not_void() -> None:
    embed = Asked(kind=Kind.EMBED, namespace="", limit_seconds=30)
    operations = [
        *(upsert("a", version, version, version + 0.5) for version in range(1, 60)),
        *(search(60, 61, seen("a", 59)) for _ in range(60)),
        *(get(60, 61, "a", seen("a", 59)) for _ in range(20)),
        *(operation(embed, Answered(status=200), 60, 61) for _ in range(20)),
        *(delete("b", at, at + 0.5) for at in range(20)),
        *(
            change
            for at in range(10)
            for change in (sweep(at, at + 0.5), mark(at, at, at + 0.5), listing(at, at + 0.5))
        ),
        drop(0, 1),
    ]
    assert list(Worth().violations(evidence(*operations))) == []
