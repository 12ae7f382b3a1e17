"""Messages for indexers, over a real broker."""

from redis import Redis

from embedding_project.broker.dispatch import send_index_hint, send_job
from embedding_project.contracts.hints import IndexHint
from embedding_project.contracts.queues import INDEX_QUEUE


def test_a_sender_does_not_listen_for_results_of_its_jobs(redis: Redis) -> None:
    before = redis.llen(INDEX_QUEUE)
    send_index_hint(IndexHint((1, 2), ()))
    send_job("jobs.sweep", 60.0)
    assert redis.llen(INDEX_QUEUE) == before + 2
    assert redis.pubsub_channels("celery-task-meta-*") == []
