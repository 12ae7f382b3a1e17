"""Warm versions: puts the vectors of the hottest query texts into the cache for versions that may answer next.

When the switch comes, the queries that are asked most do not all have to be embedded at once.
"""

from embeddings_app import registry
from embeddings_app.models import ModelRegistry, ModelStatus
from embeddings_app.services.embedding.hot_texts import KEPT_TEXTS
from embeddings_app.services.embedding.warming import warm_version
from embeddings_app.services.jobs.job import Done, Job, Run


def _warm_versions(run: Run) -> Done:
    result: dict[str, str] = {}
    for version in ModelRegistry.objects.filter(status=ModelStatus.SHADOW).order_by("pk"):
        if run.seconds_left() <= 0:
            break
        warmed = warm_version(registry.spec_of(version), KEPT_TEXTS, run.seconds_left())
        result[str(version)] = f"{warmed.cached:,} in the cache, {warmed.embedded:,} embedded"
    return Done(result=result)


WARM_VERSIONS = Job(
    name="warm-versions",
    purpose="Embeds the most frequent query texts with versions in shadow, so that their vectors are in the cache.",
    work=_warm_versions,
    every_seconds=300,
    at_least_seconds=30,
    at_most_seconds=24 * 3_600,
    run_seconds=30.0,
)
