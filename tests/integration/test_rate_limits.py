"""Limits of a key, over a real Redis and without one."""

import threading
from typing import Any

import pytest
from redis import Redis

from embedding_project.broker.redis_clients import broker_client, cache_client
from embedding_project.buckets import Buckets, Rate
from embedding_project.config import load_config
from embedding_project.contracts.errors import Unavailable
from embeddings_app.services.access.callers import Caller
from embeddings_app.services.access.rate_limits import Limiter

SLOW = Rate(per_second=0.001, burst=10)
NOWHERE = "redis://127.0.0.1:1/0"


def patient_client() -> Redis:
    """A busy machine may hold up the server for longer than a request waits for it."""
    return broker_client(load_config().cache_url, timeout_seconds=30.0, connect_seconds=30.0)


@pytest.fixture
def redis() -> Redis:
    client = patient_client()
    client.flushdb()
    return client


class CountedBuckets(Buckets):
    """Counts how often Redis is asked."""

    takes = 0

    def take(self, *arguments: Any, **options: Any) -> Any:
        self.takes += 1
        return super().take(*arguments, **options)


def limited(requests: float | None = None, inputs: float | None = None) -> Caller:
    return Caller(name="k", scopes=frozenset(), requests_per_second=requests, inputs_per_second=inputs)


def passed(limiter: Limiter, caller: Caller, times: int) -> int:
    """How many of so many requests in a row are let through."""
    refusals: list[Unavailable] = []
    for _ in range(times):
        try:
            limiter.count_request(caller)
        except Unavailable as refused:
            refusals.append(refused)
    assert all(refused.code == "rate_limited" and refused.retry_after_seconds >= 1 for refused in refusals)
    return times - len(refusals)


@pytest.mark.parametrize("url", [None, NOWHERE], ids=["in Redis", "without Redis"])
def test_a_bucket_gives_what_it_has_and_no_more(redis: Redis, url: str | None) -> None:
    buckets = Buckets(cache_client(url) if url else redis)
    assert round(buckets.take("b", SLOW, 3, 7).tokens) == 7
    refused = buckets.take("b", SLOW, 4, 4)
    assert (refused.tokens, round(refused.left)) == (0, 3)
    assert round(buckets.take("b", SLOW, 1, 9).tokens) == 3
    assert round(buckets.take("other", SLOW, 10, 10).tokens) == 10


def test_many_threads_and_processes_never_get_more_than_there_is(redis: Redis) -> None:
    caller = limited(requests=0.5)
    limiters = [Limiter(Buckets(patient_client())) for _ in range(4)]
    counts: list[int] = []
    threads = [threading.Thread(target=lambda one=one: counts.append(passed(one, caller, 20))) for one in limiters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 <= sum(counts) <= 2


def test_the_wait_that_is_told_is_long_enough(redis: Redis) -> None:
    limiter = Limiter(Buckets(redis))
    caller = limited(inputs=0.1)
    limiter.count_inputs(caller, 256)
    with pytest.raises(Unavailable) as refused:
        limiter.count_inputs(caller, 2)
    assert 19 <= refused.value.retry_after_seconds <= 20


def test_a_busy_key_asks_redis_for_a_slice_at_a_time(redis: Redis) -> None:
    buckets = CountedBuckets(redis)
    assert passed(Limiter(buckets), limited(requests=10_000), 5_000) == 5_000
    assert buckets.takes == 10


def test_without_redis_a_process_limits_by_itself_and_asks_again_a_second_later() -> None:
    now = [0.0]
    buckets = Buckets(cache_client(NOWHERE), lambda: now[0])
    limiter = Limiter(buckets)
    assert passed(limiter, limited(requests=5), 20) == 5
    now[0] += 0.5
    assert passed(limiter, limited(requests=5), 20) == 2
    assert buckets._asked_again_at == 1.0


def test_a_caller_without_limits_asks_nobody() -> None:
    limiter = Limiter(Buckets(cache_client(NOWHERE)))
    limiter.count_request(limited())
    limiter.count_inputs(limited(), 10**9)
    assert limiter._purses == {}
