"""The figures that no process counts: work that waits, replicas, queues, as Prometheus gets them."""

import time
import uuid

import pytest
from prometheus_client.parser import text_string_to_metric_families

from embedding_project.broker.embed_reports import QUEUED_KEY, SPEEDS_KEY, SenderReport, exchange, report_speeds
from embedding_project.broker.redis_clients import broker_client
from embedding_project.config import load_config
from embedding_project.contracts.messages import Lane
from embeddings_app.api.metrics import exposition
from embeddings_app.api.state_metrics import StateCollector
from embeddings_app.records.operations import oldest_pending_seconds, replica_progress, version_work
from embeddings_app.services.operating import service_state
from tests.integration.indexing_steps import embed, failing, index, make_due, put, rows

pytestmark = pytest.mark.usefixtures("database")
MODEL = ("all-MiniLM-L6-v2", 1)
Sample = tuple[str, tuple[tuple[str, str], ...]]


def scraped() -> dict[Sample, float]:
    families = text_string_to_metric_families(exposition().decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def report(shard: int, replica: int, *, applied: int = 0, silent_seconds: int = 0, state: str = "ready") -> None:
    """A sign of life as an index node writes it."""
    rows(
        """
        INSERT INTO shard_replica (layout_id, model_version_id, shard, replica, epoch, applied_seq, state, digest,
                                   documents, graph_documents, heartbeat)
        SELECT l.id, m.id, %s, %s, e.epoch, %s, %s, 0, 7, 3, now() - make_interval(secs => %s)
        FROM layout l, model_registry m, log_epoch e
        WHERE l.status = 'active' AND m.model_id = 'all-MiniLM-L6-v2' RETURNING id
        """,
        *(shard, replica, applied, state, silent_seconds),
    )


def test_pending_and_quarantined_records_are_counted_by_version() -> None:
    put(("a", "one"), ("b", "two"), ("c", "three"))
    (work,) = [item for item in version_work() if item.model_id == MODEL[0]]
    assert (work.version, work.pending, work.quarantined) == (1, 3, 0)
    for _ in range(3):
        index(lambda spec, texts: failing("model_error", len(texts)))
        make_due()
    (work,) = [item for item in version_work() if item.model_id == MODEL[0]]
    assert (work.pending, work.quarantined) == (0, 3)


def test_the_oldest_pending_record_is_as_old_as_its_write() -> None:
    assert oldest_pending_seconds() == 0
    put(("a", "one"), ("b", "two"))
    rows("UPDATE document SET updated_at = now() - interval '1 hour' RETURNING id")
    assert oldest_pending_seconds() < 60, "a record that was made just now cannot have waited for an hour"
    rows("UPDATE embedding_record SET created_at = now() - interval '10 minutes' RETURNING id")
    assert 600 <= oldest_pending_seconds() < 660
    index(embed)
    assert oldest_pending_seconds() == 0


def test_replicas_tell_their_lag_and_age() -> None:
    put(("a", "one"), ("b", "two"), ("c", "three"), ("d", "four"))
    index()
    heads = dict(rows("SELECT shard, head FROM shard_counter c JOIN layout l ON l.id = c.layout_id WHERE head > 0"))
    assert heads
    shard, head = next(iter(heads.items()))
    report(shard, 0, applied=head)
    report(shard, 1, applied=head - 1, silent_seconds=100)
    report(shard, 2, state="loading")
    report(shard, 3, silent_seconds=7_200)
    found = {item.replica: item for item in replica_progress()}
    assert set(found) == {0, 1, 2}, "a replica that was taken away long ago is no news"
    assert [(found[n].ready, found[n].lag) for n in range(3)] == [(True, 0), (False, 1), (False, head)]
    assert found[0].heartbeat_seconds < 60 < found[1].heartbeat_seconds
    assert (found[0].documents, found[0].graph_documents) == (7, 3)


def test_a_replica_of_another_epoch_has_everything_before_it() -> None:
    put(("a", "one"))
    index()
    ((shard, head),) = rows("SELECT shard, head FROM shard_counter WHERE head > 0")
    report(shard, 0, applied=head)
    rows("UPDATE shard_replica SET epoch = %s RETURNING id", uuid.uuid4())
    (found,) = replica_progress()
    assert (found.ready, found.lag) == (False, head)


@pytest.mark.usefixtures("fresh_state")
def test_a_scrape_shows_records_replicas_and_queues() -> None:
    broker = broker_client(load_config().redis_url)
    put(("a", "one"), ("b", "two"))
    report(1, 0)
    broker.rpush("embed.bulk", *[b"message"] * 3)
    try:
        found = scraped()
    finally:
        broker.delete("embed.bulk")
    version = (("model", MODEL[0]), ("version", "1"))
    assert found["records_pending", version] == 2
    assert found["replica_ready", (version[0], ("replica", "0"), ("shard", "1"), version[1])] == 1
    assert found["queue_messages", (("queue", "embed.bulk"),)] == 3
    assert found["queue_messages", (("queue", "index"),)] >= 0
    assert any(name == "queue_messages" and "search." in labels[0][1] for name, labels in found)
    assert {found["state_known", (("server", server),)] for server in ("postgres", "broker")} == {1}
    assert found["replicas_wanted", ()] == 4


@pytest.mark.usefixtures("fresh_state")
def test_a_server_that_does_not_answer_has_no_figures_and_that_is_one() -> None:
    families = StateCollector(stored=lambda: None, work=lambda: None).collect()
    found = {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}
    assert found["state_known", "postgres"] == 0
    assert not any(name.startswith(("records_", "replica")) for name, *_ in found)


@pytest.mark.usefixtures("fresh_state")
def test_scrapes_do_not_ask_the_servers_each_time() -> None:
    began, answers = time.monotonic(), []
    for _ in range(20):
        scraped()
        answers.append(service_state.queues())
    # An answer that was asked for anew is another object.
    asked = {id(answer) for answer in answers}
    assert len(asked) <= 2 + (time.monotonic() - began) / service_state.PERIOD_SECONDS


@pytest.mark.usefixtures("fresh_state")
def test_the_backlog_is_what_all_senders_wait_for_at_the_speed_of_all_embedders() -> None:
    broker = broker_client(load_config().redis_url)
    broker.delete(SPEEDS_KEY, QUEUED_KEY)
    for number in range(2):
        report_speeds(broker, f"embedder-{number}", {"m@1": 1000.0})
        queued = {Lane.INTERACTIVE: {"m@1": 300.0}, Lane.BULK: {"m@1": 2000.0}}
        exchange(broker, f"sender-{number}", SenderReport(queued=queued, refused_at=0.0))
    found = scraped()
    broker.delete(SPEEDS_KEY, QUEUED_KEY)
    assert found["embed_live_embedders", ()] == 2
    assert found["embed_tokens_per_second", (("model", "m@1"),)] == 2000
    assert found["embed_queued_tokens", (("lane", "bulk"),)] == 4000
    assert found["embed_backlog_seconds", (("lane", "interactive"),)] == pytest.approx(0.3)
    assert found["embed_backlog_seconds", (("lane", "bulk"),)] == pytest.approx(2.0)
