"""Two real beats: one sends, the other stands by and takes over."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import transaction
from redis import Redis

from embeddings_app.records.schedule import Entry, keep_entries
from embeddings_app.services.jobs.beat_lease import LEASE_SECONDS
from embeddings_app.services.jobs.retention import RETENTION
from embeddings_app.services.jobs.schedule import change_schedule, seed_schedule
from embeddings_app.services.jobs.sweep import SWEEP
from tests.integration.indexing_steps import rows
from tests.integration.jobs.beats import Beats, way_to_postgres

TAKEOVER_SECONDS = 10.0
START_SECONDS = 120.0
HARMLESS = 1
"""Messages that a beat may still send after it was overtaken."""


@pytest.fixture
def beats(database: str, redis: Redis, tmp_path: Path) -> Iterator[Beats]:
    """Two of them. The sweep is due every second, retention was due an hour ago."""
    # The others would be sent in between, and be counted.
    with transaction.atomic():
        keep_entries(
            [Entry(name=job.name, task=job.task, description="", every_seconds=1) for job in (SWEEP, RETENTION)]
        )
    change_schedule(SWEEP, 1, "test", enabled=True)
    rows(
        """
        UPDATE django_celery_beat_periodictask
        SET last_run_at = now() - CASE name WHEN 'retention' THEN interval '2 hours' ELSE interval '1 second' END
        RETURNING 1
        """
    )
    with way_to_postgres() as way:
        started = Beats(redis, way, tmp_path)
        started.start("one", "two")
        yield started
        started.end()
    change_schedule(SWEEP, SWEEP.every_seconds, "test", enabled=True)
    seed_schedule()


def test_the_other_takes_over_within_ten_seconds_of_a_kill_and_goes_on_with_the_schedule(beats: Beats) -> None:
    first, second = beats.until_one_sends(START_SECONDS)
    sent = beats.watch(4.0)
    assert set(sent) == {first}
    assert 3 <= sent[first] <= 6
    beats.send_signal(first, signal.SIGKILL)
    assert beats.until_sent_by(second, TAKEOVER_SECONDS) <= TAKEOVER_SECONDS
    assert set(beats.watch(3.0)) == {second}
    # Not again because another beat began: its time stands in Postgres.
    assert beats.jobs()["retention"] == 1


def test_one_that_was_frozen_stands_by_when_it_wakes_and_takes_over_at_once_from_one_that_stops(beats: Beats) -> None:
    first, second = beats.until_one_sends(START_SECONDS)
    beats.send_signal(first, signal.SIGSTOP)
    beats.until_sent_by(second, TAKEOVER_SECONDS)
    beats.send_signal(first, signal.SIGCONT)
    assert beats.watch(4.0)[first] <= HARMLESS
    beats.send_signal(second, signal.SIGTERM)
    assert beats.until_sent_by(first, TAKEOVER_SECONDS) <= 5.0


def test_one_that_cannot_reach_postgres_stops_and_a_frozen_postgres_leaves_none_sending(beats: Beats) -> None:
    first, second = beats.until_one_sends(START_SECONDS)
    with beats.way.silent(first):
        beats.until_sent_by(second, TAKEOVER_SECONDS)
        assert set(beats.watch(3.0)) == {second}
        with beats.way.silent():
            beats.watch(LEASE_SECONDS)
            assert not beats.watch(3.0)
    beats.watch(TAKEOVER_SECONDS)
    assert len(beats.watch(4.0)) == 1


def test_a_change_of_the_schedule_is_heard_within_seconds(beats: Beats) -> None:
    beats.until_one_sends(START_SECONDS)
    change_schedule(SWEEP, 5, "test", enabled=True)
    beats.watch(2.0)
    assert beats.watch(4.0).total() <= 1
