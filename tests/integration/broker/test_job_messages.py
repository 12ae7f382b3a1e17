"""Messages for indexers, over a real broker."""

from redis import Redis

from embedding_project.broker.dispatch import send_index_hint, send_job
from embedding_project.contracts.hints import IndexHint
from embedding_project.contracts.queues import INDEX_QUEUE


def _listening(redis: Redis) -> set[str]:
    """Connections of this process that have subscribed to a channel. Other processes have databases of their own."""
    own = str(redis.connection_pool.connection_kwargs["db"])
    return {client["id"] for client in redis.client_list() if client["db"] == own and client["sub"] != "0"}


def test_a_sender_does_not_listen_for_results_of_its_jobs(redis: Redis) -> None:
    waiting, listening = redis.llen(INDEX_QUEUE), _listening(redis)
    send_index_hint(IndexHint((1, 2), ()))
    send_job("jobs.sweep", 60.0)
    assert redis.llen(INDEX_QUEUE) == waiting + 2
    assert _listening(redis) <= listening


def test_who_listens_is_found(redis: Redis) -> None:
    with redis.pubsub() as channels:  # type: ignore[no-untyped-call]
        channels.subscribe("a channel")
        channels.get_message(timeout=60)
        assert _listening(redis)
