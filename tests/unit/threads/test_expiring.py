"""The expiring cache: fresh enough, computed once, never an old error."""

import threading
import time
from itertools import count

import pytest

from embedding_project.threads.expiring import ExpiringCache


def test_a_value_is_computed_once_a_period() -> None:
    calls = count(1)
    cache = ExpiringCache[str, int](lambda _: next(calls), seconds=0.05)
    assert [cache.get("a"), cache.get("a"), cache.get("b")] == [1, 1, 2]
    time.sleep(0.06)
    assert cache.get("a") == 3


def test_others_go_on_with_the_old_value_while_one_computes() -> None:
    computing, may_finish = threading.Event(), threading.Event()
    values = iter([1, 2])

    def compute(_key: str) -> int:
        value = next(values)
        if value == 2:
            computing.set()
            assert may_finish.wait(5)
        return value

    cache = ExpiringCache[str, int](compute, seconds=0.05)
    assert cache.get("a") == 1
    time.sleep(0.06)
    slow = threading.Thread(target=cache.get, args=("a",))
    slow.start()
    assert computing.wait(5)
    assert cache.get("a") == 1
    may_finish.set()
    slow.join()
    assert cache.get("a") == 2


def test_an_error_is_not_held() -> None:
    results: list[ValueError | int] = [ValueError("no"), 7]

    def compute(_key: str) -> int:
        result = results.pop(0)
        if isinstance(result, ValueError):
            raise result
        return result

    cache = ExpiringCache[str, int](compute, seconds=60)
    with pytest.raises(ValueError, match="no"):
        cache.get("a")
    assert cache.get("a") == 7
