"""The embedding cache over a real Redis."""

import uuid

from redis import Redis

from embedding_project.broker.redis_clients import broker_client, cache_client
from embedding_project.config import load_config
from embedding_project.vector_cache import VectorCache
from tests.integration.indexing_steps import frame


def _client() -> Redis:
    """A busy machine may hold up the server for longer than a request waits for it."""
    return broker_client(load_config().cache_url, timeout_seconds=30.0, connect_seconds=30.0)


def _cache() -> VectorCache:
    return VectorCache(_client(), ttl_seconds=60)


def test_what_is_put_is_found_and_the_rest_is_missed() -> None:
    cache, key = _cache(), uuid.uuid4().bytes
    cache.put_many({key: frame("text", 8)})
    found, missing = cache.get_many([key, uuid.uuid4().bytes], dimension=8)
    assert found is not None
    assert found.tokens == 4
    assert missing is None


def test_a_late_write_back_cannot_undo_forgetting() -> None:
    cache, key = _cache(), uuid.uuid4().bytes
    cache.put_many({key: frame("text", 8)})
    cache.forget([key])
    cache.put_many({key: frame("text", 8)})
    assert cache.get_many([key], dimension=8) == [None]


def test_a_frame_of_another_dimension_or_a_damaged_one_is_a_miss() -> None:
    cache, key, other = _cache(), uuid.uuid4().bytes, uuid.uuid4().bytes
    cache.put_many({key: frame("text", 8), other: b"garbage"})
    assert cache.get_many([key], dimension=16) == [None]
    assert cache.get_many([other], dimension=8) == [None]


def test_without_its_redis_everything_is_a_miss() -> None:
    cache = VectorCache(cache_client("redis://127.0.0.1:1/0"), ttl_seconds=60)
    cache.put_many({b"key": frame("text", 8)})
    cache.forget([b"key"])
    assert cache.get_many([b"key"], dimension=8) == [None]


def test_to_clear_it_leaves_limits_and_whatever_else_the_server_holds() -> None:
    redis, cache, keys = _client(), _cache(), [uuid.uuid4().bytes for _ in range(2_500)]
    redis.set("limit:of-somebody", "1")
    cache.put_many(dict.fromkeys(keys, frame("text", 8)))
    cache.clear()
    assert cache.get_many(keys, dimension=8) == [None] * len(keys)
    assert redis.get("limit:of-somebody") == b"1"
