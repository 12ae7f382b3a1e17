"""Digest audit: compares what replicas say they hold with the tables, and lets one that differs load again.

A replica is compared only while it is ready and has applied all of its log, and it counts as different only when two
looks, some heartbeats apart, say so. Of the replicas of a shard, one at a time loads again. One that differs again soon
after that is only reported: what Postgres holds is then the cause, such as a vector of the wrong length.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from embeddings_app.models import LIVE_STATUSES, Layout, LayoutStatus, ModelRegistry
from embeddings_app.records import shard_digests
from embeddings_app.records.shard_digests import Comparison, Log
from embeddings_app.services.jobs.job import Done, Job, Run
from embeddings_app.services.jobs.metrics import DIGEST_MISMATCHES

SECOND_LOOK_SECONDS = 3.0
ASK_AGAIN_SECONDS = 6 * 3_600.0
"""A replica is not asked to load again before this."""
logger = logging.getLogger(__name__)


@dataclass
class _Found:
    """What a run found so far."""

    asked: dict[str, float]
    """Replica -> when it was asked to load again, in seconds since 1970."""
    same: int = 0
    unsettled: int = 0
    differ: list[str] = field(default_factory=list)
    too_large: list[str] = field(default_factory=list)


def audit_digests(run: Run, wait: Callable[[float], None] = time.sleep, clock: Callable[[], float] = time.time) -> Done:
    """Audit version after version, from where the last run stopped, until the time is up."""
    layout = Layout.objects.get(status=LayoutStatus.ACTIVE)
    asked: dict[str, float] = run.progress.get("asked", {})
    found = _Found({name: at for name, at in asked.items() if clock() - at < ASK_AGAIN_SECONDS})
    after = int(run.progress.get("after", 0))
    for place, version in enumerate(_in_turn(after)):
        compared = _look(layout, version.pk, run)
        if compared is None and place:
            break  # the next run begins with this version, and has all its time for it
        after = version.pk
        if compared is None:
            found.too_large.append(str(version))
            break
        found.same += len(compared.same)
        found.unsettled += len(compared.unsettled)
        if compared.differ:
            wait(SECOND_LOOK_SECONDS)
            for log in _confirmed(compared, _look(layout, version.pk, run)):
                found.differ.append(_repair(log, found.asked, clock()))
    names = ("same", "differ", "unsettled", "too_large")
    result = {name: getattr(found, name) for name in names}
    return Done(result=result, progress={"after": after, "asked": found.asked})


def _in_turn(after: int) -> list[ModelRegistry]:
    """The live versions, those behind the key `after` first."""
    versions = ModelRegistry.objects.filter(status__in=LIVE_STATUSES).order_by("pk")
    return sorted(versions, key=lambda version: version.pk <= after)


def _look(layout: Layout, version_key: int, run: Run) -> Comparison | None:
    return shard_digests.compare(layout.pk, layout.shards, version_key, lambda: run.seconds_left() > 0)


def _confirmed(first: Comparison, second: Comparison | None) -> list[Log]:
    """Replicas that both looks found different."""
    return [log for log in first.differ if second is not None and log in second.differ]


def _repair(log: Log, asked: dict[str, float], now: float) -> str:
    """Let the replica load again when that is safe and may help; what it is and what becomes of it."""
    DIGEST_MISMATCHES.inc()
    name = f"version {log.version_key} shard {log.shard} replica {log.replica}"
    if name in asked:
        what = "has loaded again without effect"
    elif shard_digests.want_rebuild(log):
        asked[name], what = now, "loads again"
    else:
        what = "waits until another replica answers"
    logger.error("%s holds something else than Postgres: it %s", name, what)
    return f"{name} {what}"


DIGEST_AUDIT = Job(
    name="digest-audit",
    purpose="Compares what replicas hold with Postgres, and lets one that differs load again.",
    work=audit_digests,
    every_seconds=900,
    at_least_seconds=60,
    at_most_seconds=7 * 24 * 3_600,
    run_seconds=60.0,
)
