"""Layouts that are over: the one before goes when its time is over, and retired ones lose their logs."""

from embeddings_app.services.jobs.job import Done, Job, Run
from embeddings_app.services.layouts.clearing import clear_retired, drop_outlived

_ACTOR = "service"


def _clear(run: Run) -> Done:
    dropped = drop_outlived(_ACTOR)
    done = clear_retired(run.seconds_left(), run.progress)
    result = {"dropped": dropped, "cleared": done.layouts}
    return Done(result=result, progress=done.reached, problem=done.problem)


OLD_LAYOUTS = Job(
    name="old-layouts",
    purpose="Drops the layout before a switch when its time is over, and frees what dropped layouts hold.",
    work=_clear,
    every_seconds=60,
    at_least_seconds=10,
    at_most_seconds=3_600,
    run_seconds=30.0,
    essential=True,
    keeps_every_run=False,
)
