"""When writers may come again, computed from what the shards say."""

import pytest

from embeddings_app.records.topology import ShardBacklog
from embeddings_app.services.documents.build_backlog import MAX_RETRY_SECONDS, seconds_until_room

BOUND = 100_000


@pytest.mark.parametrize(
    ("backlogs", "seconds"),
    [
        pytest.param([], 0, id="no shard that answers"),
        pytest.param([ShardBacklog(BOUND, 1_000.0)], 0, id="just below"),
        pytest.param([ShardBacklog(BOUND + 200_500, 1_000.0)], 201, id="by the pace of the builds"),
        pytest.param([ShardBacklog(BOUND + 1, 1_000.0)], 51, id="half of a build at least"),
        pytest.param([ShardBacklog(BOUND + 1, 1e6)], 1, id="a second at least"),
        pytest.param([ShardBacklog(BOUND + 10_000_000, 1_000.0)], MAX_RETRY_SECONDS, id="a bounded wait"),
        pytest.param([ShardBacklog(BOUND + 1, 0.0)], 5, id="before the first build"),
        pytest.param(
            [ShardBacklog(0, 1_000.0), ShardBacklog(BOUND + 5_000, 1_000.0), ShardBacklog(BOUND + 2_000, 500.0)],
            102,
            id="the slowest shard",
        ),
    ],
)
def test_writers_come_again_when_the_slowest_shard_has_room(backlogs: list[ShardBacklog], seconds: int) -> None:
    assert seconds_until_room(backlogs, BOUND) == seconds
