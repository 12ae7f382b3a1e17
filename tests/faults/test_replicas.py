"""Replicas of a shard die or freeze under searches: the others take over, and what cannot be had is said soon."""

import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from embeddings_app.records.topology import HEARTBEAT_SECONDS
from tests.conftest import EXTERNAL_DIMENSION, Service
from tests.faults.recovery import LATE, in_some_attempt, in_time
from tests.faults.roles import frozen, kill
from tests.faults.searchers import Answer, Searchers

NAMESPACE = "replicas"
IDS = frozenset(f"d{number}" for number in range(40))
NODES = ("node-s0-r0", "node-s0-r1", "node-s1-r0", "node-s1-r1")
CLIENTS = 8
MANY = 100
ANSWER_SECONDS = 1.0
"""What is promised of a search when a shard is silent."""
RESTART_SECONDS = 120.0
SEARCH = {"vector": [1.0] * EXTERNAL_DIMENSION, "namespace": NAMESPACE, "top_k": len(IDS), "exact": True}


def _vector(number: int) -> list[float]:
    return [1.0 + ((number >> place) & 1) for place in range(EXTERNAL_DIMENSION)]


@pytest.fixture
def client(service: Service, external_model: str) -> Iterator[httpx.Client]:
    documents = [{"id": doc_id, "vector": _vector(number)} for number, doc_id in enumerate(sorted(IDS))]
    body = {"documents": documents, "namespace": NAMESPACE, "model_id": external_model, "wait": "searchable"}
    with httpx.Client(base_url=service.url, timeout=30) as client:
        _until(lambda: _replicas_ready(client) == len(NODES))
        assert client.post("/v1/upsert", json=body).status_code == 200
        _until(lambda: _is_complete(_search(client)))
        yield client
        _until(lambda: _is_complete(_search(client)))


@contextmanager
def searching(service: Service, client: httpx.Client) -> Iterator[Searchers]:
    """From when nothing is wrong any more."""
    _until(lambda: _replicas_ready(client) == len(NODES) and _is_complete(_search(client)))
    searchers = Searchers(service.url, SEARCH, CLIENTS)
    try:
        _until(lambda: _complete_again(searchers))
        yield searchers
    finally:
        searchers.stop()


def _search(client: httpx.Client, **options: Any) -> Answer:
    began_at = time.monotonic()
    response = client.post("/v1/search", json={**SEARCH, **options})
    seconds = time.monotonic() - began_at
    return Answer(began_at=began_at, seconds=seconds, status=response.status_code, body=response.json())


def _is_complete(answer: Answer) -> bool:
    return answer.status == 200 and not answer.partial and answer.ids == IDS


def _complete_again(searchers: Searchers) -> bool:
    newest = searchers.since(0)[-2 * CLIENTS :]
    return len(newest) == 2 * CLIENTS and all(map(_is_complete, newest))


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + RESTART_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _replicas_ready(client: httpx.Client) -> int:
    """From a detail such as "shard 0: 2 answer (2 expected), shard 1: 1 answer (2 expected)"."""
    detail = client.get("/readyz").json()["checks"]["shards"]["detail"]
    return sum(int(count) for count in re.findall(r": (\d+) answer", detail))


def _metric(client: httpx.Client, name: str) -> float:
    lines = client.get("/metrics").text.splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


def _check_honest(answers: Sequence[Answer]) -> None:
    """However slow the machine is: an answer has every document, or says which shards it lacks and has all documents of
    the others; and a refusal says that something was late."""
    of_shards = defaultdict[tuple[int, ...], set[frozenset[str]]](set)
    for answer in answers:
        if answer.status != 200:
            assert answer.code in LATE, answer.body
            continue
        failed = tuple(answer.body["shards"]["failed"])
        assert answer.partial == bool(failed), answer.body
        of_shards[failed].add(frozenset(answer.ids))
    assert of_shards.pop((), {IDS}) == {IDS}
    for failed, found in of_shards.items():
        assert len(found) == 1, failed
        assert next(iter(found)) < IDS


def _check_complete(answers: Sequence[Answer]) -> None:
    """Each of them in some attempt, and most of them in every one."""
    _check_honest(answers)
    incomplete = [answer.body for answer in answers if not _is_complete(answer)]
    assert len(incomplete) < len(answers) / 2, incomplete[:5]
    in_time(incomplete == [], incomplete)


@in_some_attempt
def test_a_killed_replica_costs_no_search_anything(service: Service, client: httpx.Client) -> None:
    with searching(service, client) as searchers:
        kill(service, "node-s0-r0")
        time.sleep(HEARTBEAT_SECONDS + 1)
        # By now its old heartbeat does not count any more.
        _until(lambda: _replicas_ready(client) == len(NODES) and len(searchers.since(0)) > MANY)
        answers = searchers.stop()
    _check_complete(answers)


@in_some_attempt
def test_a_frozen_replica_costs_no_search_anything(service: Service, client: httpx.Client) -> None:
    hedges = _metric(client, 'api_hedges_total{outcome="won"}')
    with searching(service, client) as searchers:
        # Most times it holds a message when it freezes; a few times in a row make that certain.
        for seconds in (4.0, 0.5, 0.5, 0.5, 0.5):
            with frozen(service, "node-s1-r1"):
                time.sleep(seconds)
            time.sleep(1)
        _until(lambda: len(searchers.since(0)) > MANY)
        answers = searchers.stop()
    _check_complete(answers)
    in_time(_metric(client, 'api_hedges_total{outcome="won"}') > hedges, "it held no message")


@in_some_attempt
def test_without_both_replicas_of_a_shard_answers_say_what_is_missing(service: Service, client: httpx.Client) -> None:
    with searching(service, client) as searchers:
        kill(service, "node-s1-r0", "node-s1-r1")
        killed_at = time.monotonic()
        _until(lambda: any(answer.partial for answer in searchers.since(killed_at)))
        _until(lambda: _complete_again(searchers))
        answers = searchers.stop()
    _check_honest(answers)
    missing = Counter(tuple(answer.body["shards"]["failed"]) for answer in answers if answer.partial)
    assert missing.most_common(1)[0][0] == (1,), missing
    in_time(set(missing) == {(1,)} and {answer.status for answer in answers} == {200}, missing)
    in_time(max(answer.seconds for answer in answers) < ANSWER_SECONDS)
    waited = [answer for answer in answers if answer.partial and answer.seconds > ANSWER_SECONDS / 2]
    in_time(len(waited) < missing.total() / 2, f"{len(waited)} of {missing.total()}")


@in_some_attempt
def test_all_or_nothing_is_nothing_while_a_shard_is_missing(service: Service, client: httpx.Client) -> None:
    with frozen(service, "node-s0-r0", "node-s0-r1"):
        nothing = _search(client, allow_partial=False)
        assert nothing.code in LATE, nothing.body
        in_time(nothing.code == "index_unavailable" and nothing.seconds < ANSWER_SECONDS, nothing)
        some = _search(client, allow_partial=True)
        _check_honest([some])
        assert not _is_complete(some)
        in_time(some.status == 200 and some.body["shards"] == {"total": 2, "ok": 1, "failed": [0]}, some.body)


@in_some_attempt
def test_without_any_node_every_search_hears_so_within_a_second(service: Service, client: httpx.Client) -> None:
    with searching(service, client) as searchers:
        with frozen(service, *NODES):
            frozen_at = time.monotonic()
            time.sleep(3)
            during = searchers.since(frozen_at + 0.5)
        _until(lambda: _complete_again(searchers))
        answers = searchers.stop()
    _check_honest(answers)
    assert 200 not in {answer.status for answer in during}
    in_time({answer.code for answer in during} == {"index_unavailable"}, {answer.code for answer in during})
    in_time(max(answer.seconds for answer in answers) < ANSWER_SECONDS)


def test_a_token_is_honoured_while_a_replica_is_frozen(service: Service, client: httpx.Client) -> None:
    with frozen(service, "node-s0-r1", "node-s1-r1"):
        for number in range(3):
            body = {"id": "d0", "vector": _vector(0), "metadata": {"n": number}, "namespace": NAMESPACE}
            token = client.post("/v1/upsert", json=body).json()["token"]
            # Who froze may hold back the token for as long as its last heartbeat counts, but no answer is without it.
            wanted = {"min_token": token, "filters": {"n": number}, "allow_partial": False}
            answers = [_search(client, **wanted)]
            while answers[-1].status == 503:
                assert time.monotonic() < answers[0].began_at + RESTART_SECONDS, answers[-1].body
                answers.append(_search(client, **wanted))
            assert answers[-1].ids == {"d0"}
            assert {answer.code for answer in answers[:-1]} <= {"not_caught_up", *LATE}
