"""Redis clients with deadlines: a server that does not answer counts as dead."""

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry


def broker_client(url: str, timeout_seconds: float = 2.0, connect_seconds: float = 1.0) -> "Redis":
    """A client that fails within `timeout_seconds` instead of retrying; replies are bytes."""
    return Redis.from_url(
        url,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=connect_seconds,
        socket_keepalive=True,
        retry=Retry(NoBackoff(), 0),
        health_check_interval=0,
    )


def cache_client(url: str) -> "Redis":
    """A client for the embedding cache, where a slow answer is worth no more than a miss."""
    return broker_client(url, timeout_seconds=0.25, connect_seconds=0.25)
