"""Searches that operators look for: which ones are kept, how many, and what of them."""

import time
from typing import Any, cast

import pytest
from redis import Redis

from embedding_project.config import load_config
from embedding_project.contracts.filters import parse_filter
from embeddings_app.services.search.notable import KEPT, NotableSearch, NotableSearches

PATIENCE_SECONDS = 30.0


@pytest.fixture
def cache() -> Redis:
    client = Redis.from_url(load_config().cache_url)
    client.flushdb()
    return client


class Clock:
    """Goes on by a second at each look."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def offer(searches: NotableSearches, *, milliseconds: float = 10.0, hits: int = 3, **more: Any) -> None:
    searches.offer(
        **{
            "namespace": "notes", "model": "m@1", "timings_ms": {"total": milliseconds}, "hits": hits,
            "filter_": None, "partial": False, "text": "a secret", **more,
        }
    )  # fmt: skip


def newest(searches: NotableSearches, count: int) -> tuple[NotableSearch, ...]:
    """What is kept, once there are so many."""
    until = time.monotonic() + PATIENCE_SECONDS
    while len(found := searches.newest() or ()) < count:
        assert time.monotonic() < until
        time.sleep(0.02)
    return found


def test_slow_ones_and_those_without_hits_are_kept_and_no_others(cache: Redis) -> None:
    searches = NotableSearches(cache, 100, keeps_texts=False, clock=Clock())
    offer(searches)
    offer(searches, milliseconds=100)
    offer(searches, hits=0, filter_=parse_filter({"lang": "en", "year": {"gte": 2020}}))
    empty, slow = newest(searches, 2)
    assert (empty.hits, empty.filter_fields, empty.text) == (0, ("lang", "year"), None)
    assert (slow.timings_ms, slow.text) == ({"total": 100}, None)
    assert b"secret" not in b"".join(cast(list[bytes], cache.lrange("searches:notable", 0, -1)))


def test_texts_are_kept_where_the_operator_says_so_and_cut(cache: Redis) -> None:
    searches = NotableSearches(cache, 100, keeps_texts=True, clock=Clock())
    offer(searches, hits=0, text="x" * 10_000)
    assert newest(searches, 1)[0].text == "x" * 500


def test_what_another_version_of_the_code_wrote_is_left_out(cache: Redis) -> None:
    cache.lpush("searches:notable", '{"at": 1.0, "colour": "red"}', '{"filter_fields": []}')
    searches = NotableSearches(cache, 100, keeps_texts=False, clock=Clock())
    offer(searches, hits=0)
    assert [one.hits for one in newest(searches, 1)] == [0]


def test_who_may_see_some_namespaces_sees_the_searches_of_no_other(cache: Redis) -> None:
    searches = NotableSearches(cache, 100, keeps_texts=True, clock=Clock())
    for namespace in ("notes", "tenant-a", "notes"):
        offer(searches, hits=0, namespace=namespace)
    newest(searches, 3)
    assert [one.namespace for one in searches.newest({"tenant-a", "tenant-b"}) or ()] == ["tenant-a"]
    assert searches.newest({"tenant-b"}) == ()


def test_one_client_fills_neither_the_list_nor_redis(cache: Redis) -> None:
    still = NotableSearches(cache, 100, keeps_texts=False, clock=lambda: 1.0)
    for _ in range(50):
        offer(still, hits=0)
    assert len(newest(still, 1)) == 1
    cache.lpush("searches:notable", *cache.lrange("searches:notable", 0, 0) * 500)
    offer(NotableSearches(cache, 100, keeps_texts=False, clock=Clock()), hits=0, namespace="last")
    until = time.monotonic() + PATIENCE_SECONDS
    while cache.llen("searches:notable") != KEPT:
        assert time.monotonic() < until
        time.sleep(0.02)


def test_without_the_cache_nothing_is_said_and_nobody_waits() -> None:
    away = NotableSearches(Redis.from_url("redis://127.0.0.1:1"), 100, keeps_texts=False, clock=Clock())
    offer(away, hits=0)
    assert away.newest() is None
