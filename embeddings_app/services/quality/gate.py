"""The gate: whether a version is good enough to answer, by what was measured of it. It never searches itself."""

from collections.abc import Iterator
from dataclasses import dataclass

from embeddings_app.models import ModelRegistry
from embeddings_app.records.measurements import Measured, newest_measurement

FRESH_SECONDS = 3_600.0
_LEAST_ANSWERED = 0.9
"""Share of the queries. A search that a busy node missed says nothing of the version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateVerdict:
    passed: bool
    reasons: tuple[str, ...]
    """Why not, in words for people; empty when it passed."""
    notes: tuple[str, ...]
    """What to know of the figures, whatever the verdict."""
    figures: Measured | None
    """None when nothing was measured."""


def gate_verdict(old: ModelRegistry | None, new: ModelRegistry) -> GateVerdict:
    """Whether `new` may take the place of `old`, or answer at all when no version does, by the newest measurement."""
    stored = newest_measurement(new.pk, old.pk if old else None)
    if stored is None:
        beside = f" beside {old}" if old else ""
        return GateVerdict(passed=False, reasons=(f"{new} was not measured{beside} yet",), notes=(), figures=None)
    measured = stored.measured
    reasons = tuple(_too_old(new, stored.age_seconds)) or tuple(_faults(old, new, measured))
    return GateVerdict(passed=not reasons, reasons=reasons, notes=tuple(_notes(new, measured)), figures=measured)


def _too_old(new: ModelRegistry, age_seconds: float) -> Iterator[str]:
    if age_seconds > FRESH_SECONDS:
        yield f"{new} was last measured {age_seconds / 60:.0f} minutes ago; a measurement counts for an hour"


def _faults(old: ModelRegistry | None, new: ModelRegistry, measured: Measured) -> Iterator[str]:
    if measured.queries == 0:
        return
    if measured.searches < _LEAST_ANSWERED * measured.queries:
        yield f"only {measured.searches} of {measured.queries} searches were answered in time"
    if measured.searches == 0:
        return
    if measured.recall is not None and measured.recall < new.gate_recall:
        yield f"searches find {measured.recall:.3f} of the ten nearest documents; {new.gate_recall} are asked for"
    if old is not None:
        yield from _faults_beside(old, new, measured)


def _faults_beside(old: ModelRegistry, new: ModelRegistry, measured: Measured) -> Iterator[str]:
    if measured.overlap is not None and measured.overlap < new.gate_overlap:
        yield (
            f"it shares {measured.overlap:.2f} of the first ten hits with {old}; {new.gate_overlap} are asked for. "
            "If its answers are meant to differ so much, lower gate_overlap"
        )
    if measured.slowdown is not None and measured.slowdown > new.gate_slowdown:
        yield f"a search takes {measured.slowdown:.1f} times as long as with {old}; {new.gate_slowdown} are allowed"
    if measured.ndcg is not None and measured.ndcg_before is not None:
        drop = measured.ndcg_before - measured.ndcg
        if drop > new.gate_ndcg_drop:
            yield (
                f"nDCG@10 falls from {measured.ndcg_before:.3f} to {measured.ndcg:.3f} "
                f"over {measured.judged_queries} judged queries; a fall of {new.gate_ndcg_drop} is allowed"
            )


def _notes(new: ModelRegistry, measured: Measured) -> Iterator[str]:
    if measured.queries == 0:
        yield "there are no documents to search, so there is nothing to compare"
        return
    if measured.synthetic:
        yield (
            f"{measured.synthetic} of {measured.queries} queries were made from the first sentences of documents, "
            "since too few searches of clients are kept; they are easier than real ones"
        )
    if measured.queries < new.gate_samples:
        yield f"there were {measured.queries} queries to search with; {new.gate_samples} are asked for"
    if measured.small:
        yield (
            f"{measured.small} of {measured.searches} searches found fewer than ten documents: "
            "there both versions find all there is"
        )
    if not measured.judged_queries:
        yield "there are no judgements of people, so nothing is known of which ranking is better"
