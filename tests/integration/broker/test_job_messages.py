"""Messages for indexers, over a real broker."""

from redis import Redis

from embedding_project.broker.dispatch import send_index_hint, send_job
from embedding_project.contracts.hints import IndexHint
from embedding_project.contracts.queues import INDEX_QUEUE


def _subscriptions(redis: Redis) -> int:
    """How often anybody has subscribed to a channel so far."""
    return int(redis.info("commandstats").get("cmdstat_subscribe", {}).get("calls", 0))


def test_a_sender_does_not_listen_for_results_of_its_jobs(redis: Redis) -> None:
    waiting, subscriptions = redis.llen(INDEX_QUEUE), _subscriptions(redis)
    send_index_hint(IndexHint((1, 2), ()))
    send_job("jobs.sweep", 60.0)
    assert redis.llen(INDEX_QUEUE) == waiting + 2
    assert _subscriptions(redis) == subscriptions
