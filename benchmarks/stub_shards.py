"""Shards that answer at once with the same hits, over real queues: what a fan-out costs its sender, and nothing else.

`python -m benchmarks.stub_shards URL LAYOUT VERSION FIRST COUNT` answers for some shards until it is ended.
"""

import sys
import threading

import numpy as np

from embedding_project.broker.envelope import task_argument
from embedding_project.broker.redis_clients import broker_client
from embedding_project.contracts.hits import ShardHits
from embedding_project.contracts.messages import SearchBatch, SearchReply
from embedding_project.contracts.queues import SEARCH_TASK, search_queue
from index_nodes.replies import Addressed, QueueLine

HITS = 14
"""As many as a search for ten asks each shard for."""
_BLOCK_SECONDS = 0.5


def answer_for(url: str, layout: int, version_key: int, shard: int) -> None:
    """Answer every message to the shard, for ever."""
    hits = ShardHits(
        np.linspace(0.9, 0.1, HITS, dtype=np.float32),
        np.arange(HITS, dtype=np.int64) + shard * HITS,
        np.ones(HITS, np.int32),
    )
    line, queue = QueueLine(broker_client(url)), search_queue(layout, version_key, shard)
    answer: Addressed | None = None
    while True:
        taken = line.exchange(answer, [queue], _BLOCK_SECONDS)
        answer = None
        if taken is not None:
            batch = SearchBatch.from_wire(task_argument(taken.raw, SEARCH_TASK))
            outcomes = (hits,) * len(batch.queries)
            reply = SearchReply(fanout_id=batch.fanout_id, shard=shard, outcomes=outcomes, search_ms=0.0)
            answer = Addressed(batch.inbox, reply)


def main(url: str, layout: int, version_key: int, first: int, count: int) -> None:
    threads = [
        threading.Thread(target=answer_for, args=(url, layout, version_key, shard))
        for shard in range(first, first + count)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
