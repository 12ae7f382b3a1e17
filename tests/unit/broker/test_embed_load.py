"""From tokens and speeds to seconds."""

import pytest

from embedding_project.broker.embed_load import IDLE, EmbedLoad
from embedding_project.contracts.messages import Lane

LOAD = EmbedLoad(
    embedders=2,
    speeds={"small@1": 1000.0, "large@1": 100.0},
    queued={Lane.INTERACTIVE: {"small@1": 500.0}, Lane.BULK: {"small@1": 1000.0, "large@1": 100.0}},
)


def test_each_model_is_computed_at_its_own_speed_by_all_embedders() -> None:
    assert LOAD.backlog_seconds(Lane.INTERACTIVE) == pytest.approx(0.25)
    assert LOAD.backlog_seconds(Lane.BULK) == pytest.approx(1.0)


def test_a_model_nobody_measured_is_taken_to_be_ten_times_slower_than_the_slowest() -> None:
    assert LOAD.seconds({"new@1": 100.0}) == pytest.approx(5.0)
    assert LOAD.seconds({"small@1": 1000.0, "new@1": 10.0}) == pytest.approx(1.0)


def test_nothing_is_known_without_a_speed_but_nothing_queued_takes_no_time() -> None:
    assert IDLE.seconds({"small@1": 1.0}) is None
    assert EmbedLoad(embedders=1, speeds={}, queued={}).seconds({"small@1": 1.0}) is None
    assert EmbedLoad(embedders=0, speeds={"small@1": 9.0}, queued={}).seconds({"small@1": 1.0}) is None
    assert IDLE.backlog_seconds(Lane.BULK) == 0.0
