"""What each action on a model version says before it is done."""

from django.db import OperationalError

from embedding_project.contracts.errors import ServiceError
from embedding_project.contracts.limits import EMBED_DEADLINE_SECONDS
from embedding_project.contracts.model_spec import ModelType
from embedding_project.wording import plural
from embeddings_app.admin.dashboard_numbers import UNKNOWN
from embeddings_app.admin.quantities import about, size
from embeddings_app.admin.questions import Question
from embeddings_app.models import OPEN_STATES, ModelRegistry, ModelStatus, ReembedRun
from embeddings_app.services.model_versions.offers import active_version
from embeddings_app.services.model_versions.overview import overview
from embeddings_app.services.model_versions.probing import PROBE_TEXTS
from embeddings_app.services.reembedding.estimating import Estimate, check_room, estimate
from embeddings_app.services.reembedding.progress import progress
from embeddings_app.services.reembedding.runs import check_startable


def probe_question(version: ModelRegistry) -> Question:
    how = (
        "Nothing is embedded: the vectors of this version come from the clients."
        if version.type == ModelType.EXTERNAL
        else f"{len(PROBE_TEXTS)} texts are embedded with {version}, past the cache, and their vectors are checked."
        f" The page waits for it, {EMBED_DEADLINE_SECONDS:.0f} s at most."
    )
    then = {
        ModelStatus.DRAFT: "If it passes, the version is probed, and can be filled or switched to.",
        ModelStatus.PROBED: "If the version fails by its own fault, it is a draft again.",
    }.get(ModelStatus(version.status), "Whatever comes of it, the version stays in its state.")
    return Question(title=f"Probe {version}", sentences=(how, then), button="Probe")


def fill_question(version: ModelRegistry) -> Question:
    expected, refusal = _estimated(version)
    return Question(
        title=f"Start a re-embedding: fill {version}",
        sentences=(
            f"Every document of {version.model_id} gets a vector of {version}, beside the one that it has.",
            f"{active_version(version.model_id) or 'No version'} goes on answering.",
            "From now on every write reaches the new version, too.",
            "When nothing is missing, the version is in shadow: searches change only when you switch.",
        ),
        facts=_estimate_facts(expected) if expected else (),
        warnings=_estimate_warnings(expected) if expected else (),
        refusal=refusal,
        button="Start",
    )


def _estimated(version: ModelRegistry) -> tuple[Estimate | None, str]:
    """What a run would take, and why there can be none now."""
    expected = None
    run = ReembedRun.objects.filter(model_id=version.model_id, state__in=OPEN_STATES).first()
    if run:
        return None, f"{run} is {run.state}: wait until it has finished, or cancel it"
    try:
        check_startable(version)
        expected = estimate(version)
        check_room(expected)
    except ServiceError as error:
        return expected, error.message
    except OperationalError:
        return None, "the documents could not be counted in time: try again soon"
    return expected, ""


def _estimate_facts(expected: Estimate) -> tuple[tuple[str, str], ...]:
    return (
        ("Documents", f"{expected.documents:,}" if expected.counted else f"about {expected.documents:,}"),
        ("Tokens", f"about {expected.tokens:,}"),
        ("In the cache already", f"{expected.cached_share:.0%} of the texts"),
        ("Time", f"{UNKNOWN}: no speed was measured" if expected.seconds is None else about(expected.seconds)),
        ("Disk", f"about {size(expected.disk_bytes)}, in Postgres and in snapshots of nodes"),
        ("Memory", f"about {size(expected.memory_bytes)}, on all nodes together"),
        ("Texts not kept", f"{expected.without_text:.0%} of the documents"),
    )


def _estimate_warnings(expected: Estimate) -> tuple[str, ...]:
    unkept = "Documents whose text is not kept get no vector, and are not found, until clients send them again."
    return (unkept,) if expected.without_text else ()


def cancel_question(run: ReembedRun) -> Question:
    found = progress(run)
    return Question(
        title=f"Cancel run {run.pk}",
        sentences=(
            f"The run ends. {run.model_version} is probed again, gets no more writes, and loses its vectors.",
            "Searches do not notice. What was embedded stays in the cache for a while, so that a new run is quicker.",
        ),
        facts=(
            ("Done so far", f"{found.share:.0%} of {plural(found.total, 'document')}"),
            ("Vectors thrown away", f"{found.counts.embedded:,}"),
        ),
        button="Cancel the run",
        ends_something=True,
    )


def retire_question(version: ModelRegistry) -> Question:
    found = overview(version)
    others = ModelRegistry.objects.filter(model_id=version.model_id, status=ModelStatus.STANDBY).exclude(pk=version.pk)
    last_way_back = version.status == ModelStatus.STANDBY and not others.exists()
    empty = not found.disk_bytes
    return Question(
        title=f"Retire {version}",
        sentences=(
            f"{version} gets no more writes and never answers again. Its entry stays in the registry.",
            "It holds nothing." if empty else "What it holds is freed in the background.",
        ),
        facts=()
        if empty
        else (
            ("Vectors", str(found.vectors)),
            ("Freed in Postgres", size(found.disk_bytes)),
            ("Freed on nodes", f"about {size(found.memory_bytes)} of memory, and their snapshots"),
        ),
        warnings=("Afterwards there is no version to roll back to.",) if last_way_back else (),
        button="Retire",
        ends_something=True,
    )
