"""Turns while Redis is waited for: the thread that waits has none."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis import Redis

from embedding_project.broker.redis_clients import broker_client
from embedding_project.threads.turns import AT_ONCE, request_turns


def _pop_in_turn(client: Redis, name: str) -> object:
    with request_turns.turn():
        return client.blpop([name], timeout=60)


def _free_turns() -> int:
    return request_turns._free.qsize()


def test_requests_that_wait_for_redis_leave_their_turns_to_others(redis: Redis, valkey_url: str) -> None:
    clients = [broker_client(valkey_url, timeout_seconds=60) for _ in range(AT_ONCE)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        waiting = [pool.submit(_pop_in_turn, client, f"list-{place}") for place, client in enumerate(clients)]
        until = time.monotonic() + 30
        while redis.info("clients")["blocked_clients"] < AT_ONCE or _free_turns() < AT_ONCE:
            assert time.monotonic() < until, "the threads keep their turns"
            time.sleep(0.005)
        for place in range(AT_ONCE):
            redis.rpush(f"list-{place}", "x")
        assert all(each.result(30) for each in waiting)
    assert _free_turns() == AT_ONCE


@pytest.mark.parametrize("url", ["redis://h:1/0", "rediss://h:1/0", "unix:///s"])
def test_whichever_way_the_server_is_reached(url: str) -> None:
    kind = broker_client(url).connection_pool.connection_class
    assert "_TurnLeft" in [base.__name__ for base in kind.__mro__]
