"""What a switch to another version, or back to an earlier one, says before it is done."""

from embedding_project.wording import plural
from embeddings_app.admin.dashboard_numbers import capped
from embeddings_app.admin.quantities import size
from embeddings_app.admin.questions import Question
from embeddings_app.models import LIVE_STATUSES, ModelRegistry, ModelStatus
from embeddings_app.records import version_records
from embeddings_app.services.model_versions.offers import active_version
from embeddings_app.services.model_versions.overview import Overview, overview
from embeddings_app.services.quality.figures import figure_texts
from embeddings_app.services.quality.gate import GateVerdict, gate_verdict


def switch_question(version: ModelRegistry) -> Question:
    """Also for the way back: a switch to a version that is kept."""
    before, found, verdict = active_version(version.model_id), overview(version), verdict_on(version)
    back = version.status == ModelStatus.STANDBY
    return Question(
        title=f"Roll back to {version}" if back else f"Switch to {version}",
        sentences=(
            f"From now on {version} answers the searches of {version.model_id}, in every process within a second.",
            _what_becomes_of(before, version),
        ),
        facts=(*_switch_facts(before, found), *_gate_facts(verdict)),
        warnings=(*_switch_warnings(before, version, found), *_against(verdict)),
        notes=verdict.notes if verdict else (),
        refusal=_switch_refusal(before, version),
        button="Roll back" if back else "Switch",
    )


def verdict_on(version: ModelRegistry) -> GateVerdict | None:
    """What the gate says of a switch; None where it is not asked: of the way back, and where nothing can be missed."""
    before = active_version(version.model_id)
    if before is None or version.status != ModelStatus.SHADOW or not version_records.has_documents(version.model_id):
        return None
    return gate_verdict(before, version)


def _gate_facts(verdict: GateVerdict | None) -> tuple[tuple[str, str], ...]:
    if verdict is None:
        return ()
    figures = figure_texts(verdict.figures) if verdict.figures else ()
    return (("Gate", "passed" if verdict.passed else "not passed"), *figures)


def _against(verdict: GateVerdict | None) -> tuple[str, ...]:
    return tuple(f"Against it: {reason}." for reason in verdict.reasons) if verdict else ()


def _what_becomes_of(before: ModelRegistry | None, version: ModelRegistry) -> str:
    if before is None:
        return "No version answered until now."
    if not version_records.has_documents(version.model_id):
        return f"{before} stops answering. It is retired, since the model has no documents."
    return (
        f"{before} stops answering and is kept: every write still reaches it, and you can roll back to it in one step"
        " until you retire it."
    )


def _switch_facts(before: ModelRegistry | None, found: Overview) -> tuple[tuple[str, str], ...]:
    facts = (
        ("Answers now", str(before or "no version")),
        ("Vectors", f"{found.vectors} of {found.documents} documents"),
        ("Documents without a vector", capped(found.quarantined)),
        ("Copies ready on nodes", str(found.ready)),
    )
    if before is None:
        return facts
    kept = overview(before)
    cost = f"{size(kept.disk_bytes)} in Postgres, about {size(kept.memory_bytes)} on nodes"
    return (*facts, (f"Cost of keeping {before}", cost))


def _switch_warnings(before: ModelRegistry | None, version: ModelRegistry, found: Overview) -> tuple[str, ...]:
    warnings = []
    if version.status in LIVE_STATUSES and found.ready.ready < found.ready.expected:
        warnings.append("Not every node has it ready. Until they have, answers may lack shards.")
    if found.quarantined:
        warnings.append("Documents without a vector are not found by any search. Retry them first.")
    if before and before.dimension != version.dimension:
        warnings.append(
            f"Clients that send vectors must send {version.dimension} dimensions then, and no longer"
            f" {before.dimension}."
        )
    return tuple(warnings)


def _switch_refusal(before: ModelRegistry | None, version: ModelRegistry) -> str:
    behind = version_records.count_lost(before.pk, version.pk) if before else 0
    return (
        f"{version} has no vector yet of {plural(behind, 'document')} that {before} finds: try again soon"
        if behind
        else ""
    )
