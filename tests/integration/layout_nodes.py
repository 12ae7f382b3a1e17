"""Index nodes without their processes, which follow the layouts of a test round by round."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from embeddings_app.models import Layout
from index_nodes import log_reader
from index_nodes.log_follower import Follower, Pace
from index_nodes.serving import LogKey
from index_nodes.version_replica import USUAL_PACE, LoadPace
from tests.integration.shard_digests import ShardDigest, shard_digest
from tests.integration.test_index_node import version_key


class Nodes:
    """Followers of so many shards, in this thread."""

    def __init__(
        self, url: str, folder: Path, shards: int, connections: ExitStack, pace: LoadPace = USUAL_PACE
    ) -> None:
        self.followers = []
        for shard in range(shards):
            directory = folder / f"s{shard}"
            directory.mkdir(parents=True)
            connection = connections.enter_context(log_reader.connect(url, f"test-{shard}"))
            follower = Follower(url, shard, 0, directory, Pace(load=pace))
            connections.callback(follower._drop, lambda _: True)
            self.followers.append((follower, connection))

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline
            self.round()

    def round(self) -> None:
        for follower, connection in self.followers:
            follower.round(connection)

    def loaded(self, layout: Layout) -> list[int]:
        """Documents of the layout that each of them has."""
        keys = LogKey(layout.pk, version_key())
        found = [follower.serving.versions.get(keys) for follower, _ in self.followers]
        return [version.index.tally()[0] if version else 0 for version in found]

    def hold(self, layout: int, shards: int) -> None:
        """What SQL says of each shard of the layout, they hold."""
        for shard in range(shards):
            key = (layout, version_key())
            index = next(
                version.index for at, version in self.followers[shard][0].serving.versions.items() if at == key
            )
            documents, _, digest = index.tally()
            assert shard_digest(layout, version_key(), shard) == ShardDigest(digest, documents)
