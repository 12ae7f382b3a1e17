"""Who lives, and who was started anew."""

import time
import uuid

from embedding_project.broker.liveness import alive, report_alive, restarted_since
from embedding_project.broker.redis_clients import broker_client
from embedding_project.config import load_config


def test_a_report_counts_for_a_while_and_carries_the_start() -> None:
    redis, name = broker_client(load_config().redis_url), f"test-{uuid.uuid4().hex}"
    before = time.time()
    report_alive(redis, name)
    assert alive(redis)[name] <= before
    assert name not in alive(redis, within_seconds=-1)


def test_a_process_that_started_before_is_not_suspected_and_a_later_one_is() -> None:
    redis, name = broker_client(load_config().redis_url), f"test-{uuid.uuid4().hex}"
    report_alive(redis, name)
    assert not restarted_since(redis, name, time.time())
    assert restarted_since(redis, name, 0.0)
    assert not restarted_since(redis, "nobody-", 0.0)


def test_without_a_broker_nobody_is_suspected_and_the_claims_can_be_given_back() -> None:
    assert not restarted_since(broker_client("redis://127.0.0.1:1/0"), "embedder-", 0.0)
