"""The tasks of a node, and the node behind it for workers that import this module (`-I index_nodes.tasks`)."""

from celery import Task

from embedding_project.celery import query_app
from embedding_project.contracts.census import CensusQuestion
from embedding_project.contracts.messages import SearchBatch
from embedding_project.contracts.queues import CENSUS_TASK, SEARCH_TASK
from index_nodes import service
from index_nodes.bootstep import NodeStep


@query_app.task(name=SEARCH_TASK, bind=True)
def search_shard(task: Task, payload: bytes) -> None:
    """Answer one message that came through Celery's own consumer instead of the drain loop."""
    service.answer_alone(SearchBatch.from_wire(payload), task.request.delivery_info["routing_key"])


@query_app.task(name=CENSUS_TASK, bind=True)
def count_shard(task: Task, payload: bytes) -> None:
    """Answer one question for counts that came through Celery's own consumer."""
    service.count_alone(CensusQuestion.from_wire(payload), task.request.delivery_info["routing_key"])


query_app.steps["worker"].add(NodeStep)
