"""Words of texts: what a namespace had before its text search was switched on gets them here, a chunk at a time."""

from embeddings_app.services.documents.text_search_setting import follow_settings
from embeddings_app.services.jobs.job import Done, Job, Run


def _follow(run: Run) -> Done:
    followed = follow_settings(run.deadline, int(run.progress.get("after", 0)))
    return Done(
        result={"documents": followed.documents}, progress={"after": followed.last_key}, problem=followed.problem
    )


TEXT_WORDS = Job(
    name="text-words",
    purpose="Writes the words of documents whose namespace got text search, and deletes those of one that lost it.",
    work=_follow,
    every_seconds=5,
    at_least_seconds=1,
    at_most_seconds=300,
    run_seconds=4.0,
    essential=True,
    keeps_every_run=False,
)
