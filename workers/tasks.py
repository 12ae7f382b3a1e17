"""The embed task, and the drain loop for workers that import this module (`-I workers.tasks`)."""

from embedding_project.celery import query_app
from embedding_project.contracts.messages import EmbedBatch
from embedding_project.contracts.queues import EMBED_TASK
from workers import service
from workers.bootstep import BatchDrainer


@query_app.task(name=EMBED_TASK)
def embed_texts(payload: bytes) -> None:
    """Embed one batch that came through Celery's own consumer instead of the drain loop."""
    service.embed_now(EmbedBatch.from_wire(payload))


query_app.steps["worker"].add(BatchDrainer)
