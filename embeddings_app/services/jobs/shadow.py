"""Shadow: measures versions that are complete and do not answer yet, so that the gate can decide about them."""

from embeddings_app.models import ModelRegistry, ModelStatus
from embeddings_app.records.measurements import newest_measurement
from embeddings_app.services.jobs.job import Done, Job, Run
from embeddings_app.services.quality.gate import FRESH_SECONDS
from embeddings_app.services.quality.refreshing import active_beside, refresh_measurements

_AGAIN_SECONDS = FRESH_SECONDS / 2


def _measure(run: Run) -> Done:
    measured = []
    for version in ModelRegistry.objects.filter(status=ModelStatus.SHADOW).order_by("pk"):
        if run.seconds_left() > 0 and _is_due(version):
            refresh_measurements(version, run.seconds_left())
            measured.append(str(version))
    return Done(result={"measured": measured})


def _is_due(version: ModelRegistry) -> bool:
    other = active_beside(version)
    newest = newest_measurement(version.pk, other.pk if other else None)
    return newest is None or newest.age_seconds > _AGAIN_SECONDS


SHADOW = Job(
    name="shadow",
    purpose="Measures versions in shadow beside the active version, for the gate.",
    work=_measure,
    every_seconds=10,
    at_least_seconds=5,
    at_most_seconds=1_800,
    run_seconds=60.0,
    keeps_every_run=False,
)
