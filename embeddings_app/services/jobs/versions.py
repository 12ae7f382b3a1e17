"""Versions: goes on with runs of re-embedding that lie still, and frees what ended versions hold."""

from embeddings_app.services.jobs.job import Done, Job, Run
from embeddings_app.services.model_versions.indexes import clear_ended_versions
from embeddings_app.services.reembedding.sending import send_wave
from embeddings_app.services.reembedding.waves import tend_runs


def _tend(run: Run) -> Done:
    tend_runs(send_wave)
    return Done(result={"left_to_clear": clear_ended_versions(run.seconds_left())})


VERSIONS = Job(
    name="versions",
    purpose="Goes on with model versions that are filled, and frees what ended versions hold.",
    work=_tend,
    every_seconds=3,
    at_least_seconds=1,
    at_most_seconds=30,
    run_seconds=5.0,
    essential=True,
    keeps_every_run=False,
)
